"""Methods of a framework's classes and functions of its modules, called through an integration for a while."""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Generic, TypeVar

from runlore.guest import guards

T = TypeVar("T")

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

        guards.unseen(wrapper)
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


class OnDemand:
    """Wrappers that are there as long as there is a reason: a callback that somebody may use, say, or autolog."""

    def __init__(self, wrap: Callable[[Wrappers], object]) -> None:
        self.reasons: set[str] = set()
        self._wrap = wrap
        self._wrappers = Wrappers()

    def want(self, reason: str) -> None:
        """Wrap, unless that is done."""
        self.reasons.add(reason)
        if not self._wrappers:
            self._wrap(self._wrappers)

    def unwant(self, reason: str) -> None:
        """Put everything back, unless there is another reason."""
        self.reasons.discard(reason)
        if not self.reasons:
            self._wrappers.restore()


class Calls:
    """The calls of a wrapped function that are under way in a context, the innermost last.

    What stands for one has a method `end(error)`, which must not raise: None stands for a call that returned.
    """

    def __init__(self, name: str) -> None:
        self._stack: ContextVar[tuple[Any, ...]] = ContextVar(name, default=())

    def __iter__(self) -> Iterator[Any]:
        stack: tuple[Any, ...] = self._stack.get()
        return iter(stack[::-1])

    @property
    def innermost(self) -> Any:
        """The last one that was begun; None where none is under way."""
        return next(iter(self), None)

    @guards.unseen
    def during(self, call: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function, and tell what stands for the call how it ended."""
        token = self._stack.set((*self._stack.get(), call))
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.end(error)
            raise
        finally:
            self._stack.reset(token)
        call.end(None)
        return result


class ByIdentity(Generic[T]):
    """Values for objects as long as these live. The objects need not be hashable, nor equal to themselves only."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[Any], T]] = {}

    def get(self, key: Any) -> T | None:
        """The value for this very object."""
        reference, value = self._values.get(id(key), (None, None))
        return value if reference is not None and reference() is key else None

    def set(self, key: Any, value: T) -> None:
        """Note a value, which must not hold the object itself; without effect for what takes no weak reference."""
        place = id(key)

        def forget(reference: Any) -> None:
            if self._values.get(place, (None,))[0] is reference:
                del self._values[place]

        with suppress(TypeError):
            self._values[place] = weakref.ref(key, forget), value

    def pop(self, key: Any) -> T | None:
        """Forget the object; the value that it had."""
        value = self.get(key)
        if value is not None:
            del self._values[id(key)]
        return value


_tokens: ByIdentity[object] = ByIdentity()


def token_of(item: Any) -> object:
    """What stands for this very object, as an id would, and for no other one when it is gone."""
    found = _tokens.get(item)
    if found is None:
        found = object()
        _tokens.set(item, found)
    return found


def check_version(framework: str, version: str, tested: Sequence[str]) -> None:
    """Warn of a version that runlore was not tested with, if its first two numbers are not among `tested`."""
    if ".".join(version.split(".")[:2]) not in tested:
        guards.warn(f"{framework} {version} is not tested with runlore: it may record less than usual")


def arguments(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """The arguments of a call by name, defaults included; {} where they don't fit, as the function will say."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)
