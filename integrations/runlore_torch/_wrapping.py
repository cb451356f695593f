"""The functions of torch that are wrapped while a loop may be recorded, and the hook that every optimizer calls.

torch calls a hook of ours behind each step of any optimizer. A loop is recorded where a block of ours is around it;
with autolog, where the user's own code has called `step`: an optimizer that a library steps, to fit a Gaussian process,
say, trains no model of the user's, and frameworks record themselves.
"""

import sys
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from runlore import guest
from runlore.guest.wrapping import OnDemand, Wrappers
from runlore_torch import _framework
from runlore_torch._data import Loaders
from runlore_torch._owners import loops

if TYPE_CHECKING:
    from runlore_torch._training import Loop


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, and the hook of optimizers, as long as somebody wants them."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap)
        self._hook: Any = None

    def want(self, reason: str) -> None:
        """Wrap, and listen to optimizers, unless that is done already."""
        from torch.optim.optimizer import register_optimizer_step_post_hook

        super().want(reason)
        if self._hook is None:
            self._hook = register_optimizer_step_post_hook(_stepped)

    def unwant(self, reason: str) -> None:
        """Put everything back, unless there is another reason."""
        super().unwant(reason)
        if reason == "autolog":
            loops().close_all()
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
    wrappers.precede(torch.Tensor, "backward", _note_loss)
    wrappers.wrap(DataLoader, "__iter__", _iterate)
    wrappers.wrap(torch.amp.GradScaler, "scale", _scale)


def _note_loss(loss: Any, *args: Any, **kwargs: Any) -> None:
    if loss.ndim != 0 or guest.in_fit():
        return
    part = loops()
    loop = part.here()
    if part.scaled is not None:
        scaled, part.scaled = part.scaled, None
        if scaled[0]() is loss:
            loss = scaled[1]
            if loop is not None:
                loop.note_scaler()
    value = loss.item() if loss.is_cpu else loss.detach()  # a device is read later, with others
    if loop is not None:
        loop.loss = value
    else:
        part.waiting[threading.get_ident()] = value


@guest.unseen
def _scale(scale: Callable[..., Any], scaler: Any, outputs: Any, *args: Any, **kwargs: Any) -> Any:
    result = scale(scaler, outputs, *args, **kwargs)
    _note_scaled(outputs, result)
    return result


@guest.harmless
def _note_scaled(outputs: Any, result: Any) -> None:
    if getattr(outputs, "ndim", None) == 0:
        loops().scaled = weakref.ref(result), outputs.detach()


@guest.unseen
def _iterate(iterate: Callable[..., Any], loader: Any, *args: Any, **kwargs: Any) -> Any:
    iterator = iterate(loader, *args, **kwargs)
    _note_begun(loader, iterator)
    return iterator


@guest.harmless
def _note_begun(loader: Any, iterator: Any) -> None:
    part = loops()
    loop = part.here()
    if loop is not None:
        loop.loaders.begun(loader, iterator)
    if not part.blocks.get(threading.get_ident()):
        part.loaders.setdefault(threading.get_ident(), Loaders()).begun(loader, iterator)


@guest.harmless
def _stepped(optimizer: Any, args: Any, kwargs: Any) -> None:
    """Record a step, if it is one of a loop that is recorded; torch calls it behind every step."""
    if guest.in_fit():
        return
    part = loops()
    loop = part.here()
    known = None if loop is None else loop.stepping_of(optimizer)
    if known is None:
        frame = sys._getframe(1)
        if not part.blocks.get(threading.get_ident()):
            loop = _loop_of(optimizer, loop, frame)
        known = None if loop is None else loop.add(optimizer, frame)
    if known is not None:
        loop.stepped(optimizer, known)


def _loop_of(optimizer: Any, open_loop: "Loop | None", frame: Any) -> "Loop | None":
    """Return the loop that an optimizer begins, or comes to, with its first step; None where it is not the user's."""
    part = loops()
    if not wrapped().is_wanted("autolog") or part.foreign.get(optimizer):
        return None
    if not _framework.users_frames(frame):
        part.foreign.set(optimizer, True)
        return None
    if open_loop is not None:
        if open_loop.is_alive:
            return open_loop
        part.close(open_loop)
    from runlore.guest.options import RunOptions  # late: the import of torch waits for this file
    from runlore_torch._training import Loop

    thread = threading.get_ident()
    loop = part.by_itself[thread] = Loop(RunOptions(), closed=part.close)
    loop.loaders = part.loaders.pop(thread, loop.loaders)
    loop.loss = part.waiting.pop(thread, None)
    return loop
