"""Methods of a framework's classes and functions of its modules, called through an integration for a while."""

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from runlore import guest

Call = Callable[..., Any]  # with the original before its arguments


class Wrappers:
    """What one integration has wrapped. `restore` puts every attribute back, the very object that was there."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []

    def wrap(self, owner: type | ModuleType, name: str, call: Call) -> None:
        """Let `call(original, …)` be called instead of a function.

        Of a class it is the one of its base classes that defines the method. Warnings and tracebacks pass over the
        wrapper; name, signature and documentation are the original's.

        Raises:
            AttributeError: there is no such function.
        """
        if isinstance(owner, type):
            owner = next((base for base in owner.__mro__ if name in vars(base)), owner)
        original = vars(owner).get(name)
        if not callable(original):
            raise AttributeError(f"{owner.__name__} has no function {name!r}")

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            return call(original, *args, **kwargs)

        guest.unseen(wrapper)
        setattr(owner, name, wrapper)
        self._done.append((owner, name, original, wrapper))

    def restore(self) -> None:
        """Put the originals back, where nobody has put something else since."""
        while self._done:
            owner, name, original, wrapper = self._done.pop()
            if vars(owner).get(name) is wrapper:
                setattr(owner, name, original)

    def __bool__(self) -> bool:
        return bool(self._done)


def arguments(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, defaults included; {} where they don't fit, as the function will say."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)
