"""The loops of this process: by the block around them, and by their thread."""

import threading
from typing import Any

from runlore import guest
from runlore.guest.wrapping import ByIdentity


class Loops(guest.Part):
    """The loops that are recorded. Threads may share it."""

    rank = 1

    def __init__(self) -> None:
        self.blocks: dict[int, list[Any]] = {}  # loops with a block around them by thread, the innermost last
        self.by_itself: dict[int, Any] = {}  # loops that autolog has noticed, by thread
        self.foreign: ByIdentity[bool] = ByIdentity()  # optimizers that code of a library has called first
        self.scaled: tuple[Any, Any] | None = None  # a weak reference to a scaled loss, and the loss itself
        self.waiting: dict[int, Any] = {}  # the last loss by thread, until there is a loop
        self.loaders: dict[int, Any] = {}  # what was iterated by thread, until there is a loop

    def here(self) -> Any:
        """Return the loop of this thread; None where there is none."""
        thread = threading.get_ident()
        blocks = self.blocks.get(thread)
        return blocks[-1] if blocks else self.by_itself.get(thread)

    def close(self, loop: Any) -> None:
        """End a loop that autolog has noticed: nobody holds its optimizers any more, or another one begins."""
        found = self.by_itself.get(loop.thread)
        if found is not None and found is loop:
            del self.by_itself[found.thread]
            found.end(None)

    def close_all(self) -> None:
        """End the loops that autolog has noticed, as it is switched off, by the exception that is propagating."""
        for loop in list(self.by_itself.values()):
            self.by_itself.pop(loop.thread, None)
            loop.leaving.note_propagating()
            loop.end(loop.leaving.error)

    def end(self) -> None:
        """Write what waits on a device; how Python exits tells the status."""
        for loop in list(self.by_itself.values()):
            if loop.session is not None:
                loop.session.flush()


def loops() -> Loops:
    """Return the loops of this process."""
    return guest.part(Loops)
