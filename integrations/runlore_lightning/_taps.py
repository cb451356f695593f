"""Methods of single objects that are called through us for a while."""

import copy
from collections.abc import Callable
from typing import Any

from runlore import guest
from runlore.guest.wrapping import guarded

Call = Callable[..., Any]  # called with the original method before its arguments
_MISSING = object()


class Tap:
    """Stands in an object's attributes for a method of its class. A copy of the object gets the method, and no tap."""

    def __init__(self, owner: Any, name: str, call: Call) -> None:
        self.owner = owner
        self.name = name
        self.before = vars(owner).get(name, _MISSING)  # what somebody else had put there
        self._original = getattr(owner, name)
        self._call: Call | None = guarded(call, self._original)

    def close(self) -> None:
        """Take the tap off, unless somebody has put something else there; who still holds it calls the original."""
        self._call = None
        if vars(self.owner).get(self.name) is not self:
            return
        before = self.before
        while isinstance(before, Tap) and before._call is None:  # closed meanwhile, out of turn
            before = before.before
        if before is _MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, before)

    @guest.unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        call = self._call
        return self._original(*args, **kwargs) if call is None else call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_original"], name)  # its name, signature, documentation

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        if self.before is not _MISSING:
            return copy.deepcopy(self.before, memo)
        return getattr(copy.deepcopy(self.owner, memo), self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.before is not _MISSING:
            return _itself, (self.before,)
        return getattr, (self.owner, self.name)


def _itself(value: Any) -> Any:
    return value


class Taps:
    """Taps that are taken off together."""

    def __init__(self) -> None:
        self._open: list[Tap] = []

    def set(self, owner: Any, name: str, call: Call) -> None:
        """Let `call(original, …)` be called instead of a method.

        Raises:
            AttributeError: there is no such method.
        """
        tap = Tap(owner, name, call)
        setattr(owner, name, tap)
        self._open.append(tap)

    def close(self) -> None:
        """Take the taps off."""
        while self._open:
            self._open.pop().close()

    def __bool__(self) -> bool:
        return bool(self._open)
