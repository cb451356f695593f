"""The functions of torch that are wrapped while a loop may be recorded, and the hook that every optimizer calls.

A loop is recorded where a block of ours is around it; with autolog, where the user's own code has called `step`: an
optimizer that a library steps, to fit a Gaussian process, say, trains no model of the user's, and frameworks record
themselves.
"""

from collections.abc import Callable
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any

import runlore
from runlore import guest
from runlore.guest.wrapping import OnDemand, Wrappers
from runlore_torch import _framework
from runlore_torch._owners import loops

if TYPE_CHECKING:
    from runlore_torch._training import Loop, Stepping


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, and the hook of optimizers, as long as somebody wants them."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap)
        self._hook: Any = None
        self._files = ExitStack()  # the switch for what is saved and loaded in a block, as autolog has it, too

    def want(self, reason: str) -> None:
        """Wrap, and listen to optimizers, unless that is done already."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        super().want(reason)
        if reason == "callback" and not self.is_wanted("autolog"):
            self._files.enter_context(runlore.autolog("torch-files"))
        if self._hook is None:
            loops().meet = _met
            self._hook = register_optimizer_step_post_hook(loops().note_step)

    def unwant(self, reason: str) -> None:
        """Put everything back, unless there is another reason."""
        super().unwant(reason)
        if reason == "autolog":
            loops().close_all()
        else:
            files = self._files.pop_all()
            if not self.is_wanted("autolog"):
                files.close()
        if self._hook is not None and not any(map(self.is_wanted, ("autolog", "callback"))):
            self._hook.remove()
            self._hook = None


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    import torch
    from torch.utils.data import DataLoader

    if wrappers:
        return
    _framework.check_version()
    wrappers.precede(torch.Tensor, "backward", loops().note_loss)
    wrappers.wrap(DataLoader, "__iter__", _iterate)
    wrappers.wrap(torch.amp.GradScaler, "scale", _scale)


@guest.unseen
def _scale(scale: Callable[..., Any], scaler: Any, outputs: Any, *args: Any, **kwargs: Any) -> Any:
    result = scale(scaler, outputs, *args, **kwargs)
    _note_scaled(outputs, result)
    return result


@guest.harmless
def _note_scaled(outputs: Any, result: Any) -> None:
    loops().note_scaled(outputs, result)


@guest.unseen
def _iterate(iterate: Callable[..., Any], loader: Any, *args: Any, **kwargs: Any) -> Any:
    iterator = iterate(loader, *args, **kwargs)
    _note_begun(loader, iterator)
    return iterator


@guest.harmless
def _note_begun(loader: Any, iterator: Any) -> None:
    loops().note_begun(loader, iterator)


@guest.unseen
def _met(optimizer: Any, loop: "Loop | None", frame: FrameType) -> "tuple[Loop | None, Stepping | None]":
    """Return the loop that an optimizer comes to with its first step, and what is known of it from now on."""
    import torch

    found: tuple[Loop | None, Stepping | None] = torch.compiler.disable(_meet)(optimizer, loop, frame)
    return found


def _meet(optimizer: Any, loop: "Loop | None", frame: FrameType) -> "tuple[Loop | None, Stepping | None]":
    if not loops().is_in_block:
        loop = _loop_of(optimizer, frame)
    return loop, None if loop is None else loop.known.get(id(optimizer)) or loop.add(optimizer, frame)


def _loop_of(optimizer: Any, frame: FrameType) -> "Loop | None":
    """Return the loop that an optimizer begins, or comes to; None where it is not the user's."""
    part = loops()
    if not wrapped().is_wanted("autolog") or part.foreign.get(optimizer):
        return None
    if not _framework.users_frames(frame):
        part.foreign.set(optimizer, True)
        return None
    from runlore.guest.options import RunOptions  # late: the import of torch waits for this file
    from runlore_torch._training import Loop

    found: Loop | None = part.noticed()
    if found is not None:
        return found
    loop = Loop(RunOptions(), closed=part.close)
    part.begin(loop)
    return loop
