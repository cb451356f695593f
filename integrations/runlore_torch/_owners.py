"""The loops of this process, by the block around them and by their thread, and what torch tells them at every step."""

import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any

from runlore import guest
from runlore.guest import in_fit
from runlore.guest.wrapping import ByIdentity
from runlore_torch._data import Loaders

Meet = Callable[[Any, Any, FrameType], tuple[Any, Any]]


class Loops(guest.Part):
    """The loops that are recorded. Threads may share it.

    Its methods are what torch calls, so a forked child has the same object, without the loops of its parent. Those that
    get tensors are `unseen`: `torch.compile` passes over them, and compiles them with no step of the user's. `meet` is
    called at the first step of an optimizer with that, the loop of the thread and the frame of torch; it returns the
    loop that the optimizer comes to, and what is known of it there.
    """

    rank = 1
    inherited = True

    def __init__(self) -> None:
        self.meet: Meet = lambda optimizer, loop, frame: (None, None)
        self._failed = guest.telling_once(Loops.note_step)
        self._clear()

    def _clear(self) -> None:
        self._here: dict[int, Any] = {}  # the loop of each thread: that of its innermost block, or one noticed
        self._blocks: dict[int, list[Any]] = {}  # loops with a block around them by thread, the innermost last
        self._noticed: dict[int, list[Any]] = {}  # loops that autolog has noticed, by thread
        self.foreign: ByIdentity[bool] = ByIdentity()  # optimizers that code of a library has called first
        self._scaled: tuple[Any, Any] | None = None  # a weak reference to a scaled loss, and the loss itself
        self._waiting: dict[int, Any] = {}  # the last loss by thread, until there is a loop
        self._loaders: dict[int, Loaders] = {}  # what was iterated by thread, until there is a loop

    def forget(self) -> None:
        """Leave the loops to the parent."""
        self._clear()

    @guest.unseen
    def note_loss(self, loss: Any, *args: Any, **kwargs: Any) -> None:
        """Note the loss that `backward` is called of, for the step that follows."""
        if loss.ndim != 0 or in_fit():
            return
        loop = self._here.get(get_ident())
        if self._scaled is not None:
            loss = self._unscaled(loss, loop)
        value = loss.item() if loss.is_cpu else loss.detach()  # a device is read later, with others
        if loop is not None:
            loop.loss = value
        else:
            self._waiting[get_ident()] = value

    @guest.unseen
    def note_scaled(self, loss: Any, scaled: Any) -> None:
        """Note a loss that is scaled before it is differentiated."""
        if getattr(loss, "ndim", None) == 0:
            self._scaled = weakref.ref(scaled), loss.detach()

    def note_begun(self, loader: Any, iterator: Any) -> None:
        """Note that a data loader is iterated."""
        thread = get_ident()
        loop = self._here.get(thread)
        if loop is not None:
            loop.loaders.begun(loader, iterator)
        if thread not in self._blocks:
            self._loaders.setdefault(thread, Loaders()).begun(loader, iterator)

    @guest.unseen
    def note_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Record a step of any optimizer, if it is one of a loop that is recorded. Never raises."""
        try:
            if in_fit():
                return
            loop = self._here.get(get_ident())
            known = None if loop is None else loop.known.get(id(optimizer))
            if known is None or not loop.place.is_here:  # type: ignore[union-attr]
                loop, known = self.meet(optimizer, loop, sys._getframe(1))
            if loop is not None and known is not None:
                loop.stepped(optimizer, known)
        except Exception as error:  # torch calls us here, and must not meet our exceptions
            self._failed(error)

    def enter(self, loop: Any) -> None:
        """Begin a block around a loop."""
        self._blocks.setdefault(loop.thread, []).append(loop)
        self._here[loop.thread] = loop

    def leave(self) -> Any:
        """End the innermost block of this thread, and return its loop."""
        thread = get_ident()
        blocks = self._blocks.get(thread)
        if not blocks:
            return None
        loop = blocks.pop()
        if not blocks:
            del self._blocks[thread]
        self._find(thread)
        return loop

    @property
    def has_blocks(self) -> bool:
        """True while a thread is in a block."""
        return bool(self._blocks)

    @property
    def is_in_block(self) -> bool:
        """True where this thread is in a block."""
        return get_ident() in self._blocks

    def noticed(self) -> Any:
        """Return the loop that autolog has noticed where this thread is now: in the same run of the user's, if any."""
        thread = get_ident()
        for loop in self._noticed.get(thread, ())[:]:
            if not loop.is_alive or loop.place.has_ended:
                self.close(loop)
        found = next((loop for loop in self._noticed.get(thread, ()) if loop.place.is_here), None)
        if found is not None:
            self._turn_to(found)
        return found

    def begin(self, loop: Any) -> None:
        """Take a loop that autolog has noticed, with what this thread has met before it."""
        thread = get_ident()
        self._noticed.setdefault(thread, []).append(loop)
        loop.loaders = self._loaders.pop(thread, loop.loaders)
        loop.loss = self._waiting.pop(thread, None)
        self._turn_to(loop)

    def close(self, loop: Any) -> None:
        """End a loop that autolog has noticed: nobody holds its optimizers any more, or the run around it has ended."""
        found = self._noticed.get(loop.thread, [])
        if loop in found:
            found.remove(loop)
            self._find(loop.thread)
            after = self._here.get(loop.thread)
            if after is not None:
                after.loss = loop.loss  # that of a step which comes to another loop
            elif loop.loss is not None:
                self._waiting[loop.thread] = loop.loss
            loop.end(None)

    def close_all(self) -> None:
        """End the loops that autolog has noticed, as it is switched off, by the exception that is propagating."""
        for loop in self._all_noticed():
            self._noticed.pop(loop.thread, None)
            self._find(loop.thread)
            loop.leaving.note_propagating()
            loop.end(loop.leaving.error)
        self._scaled = None
        self._waiting.clear()
        self._loaders.clear()

    def end(self) -> None:
        """Write what waits on a device; how Python exits tells the status."""
        for loop in self._all_noticed():
            if loop.session is not None:
                loop.session.flush()
                loop.tell_missing()

    def _all_noticed(self) -> list[Any]:
        return [loop for found in self._noticed.values() for loop in found]

    def _turn_to(self, loop: Any) -> None:
        """Let a loop be that of its thread; the last loss of the thread is that of its step."""
        before = self._here.get(loop.thread)
        if before is not None and before is not loop:
            loop.loss, before.loss = before.loss, None
        self._here[loop.thread] = loop

    def _find(self, thread: int) -> None:
        loops = self._blocks.get(thread) or self._noticed.get(thread)
        if loops:
            self._here[thread] = loops[-1]
        else:
            self._here.pop(thread, None)

    @guest.unseen
    def _unscaled(self, loss: Any, loop: Any) -> Any:
        assert self._scaled is not None
        (scaled, original), self._scaled = self._scaled, None
        if scaled() is not loss:
            return loss
        if loop is not None:
            loop.note_scaler()
        return original


def loops() -> Loops:
    """Return the loops of this process."""
    return guest.part(Loops)
