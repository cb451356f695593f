"""Call a framework's functions through an integration for a while, and know which of those calls are under way."""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from types import ModuleType
from typing import Any, Generic, Protocol, TypeVar

from runlore._process import Part, process
from runlore.guest import guards

T = TypeVar("T")

Wrapper = Callable[..., Any]  # called with the original function before its arguments


class Call(Protocol):
    """Stands for one call of a wrapped function, from its beginning to its end: a fit, an evaluation, a search."""

    def end(self, error: BaseException | None) -> None:
        """Note that the call returned, or raised `error`. Must not raise."""


C = TypeVar("C", bound=Call)


class Wrappers:
    """Wraps functions of a framework. `restore` puts every attribute back, the very object that was there."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []  # owner, name, original, ours

    def wrap(self, owner: type | ModuleType, name: str, wrapper: Wrapper) -> None:
        """Let `wrapper(original, …)` be called instead of a function, or of a method where `owner` is a class.

        A method is wrapped in the base class that defines it. Warnings and tracebacks pass over our frame; name,
        signature and documentation stay the original's.

        Raises:
            AttributeError: there is no such function.
        """
        if isinstance(owner, type):
            owner = next((base for base in owner.__mro__ if name in vars(base)), owner)
        original = vars(owner).get(name)
        if not callable(original):
            raise AttributeError(f"{owner.__name__} has no function {name!r}")

        @functools.wraps(original)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            return wrapper(original, *args, **kwargs)

        guards.unseen(wrapped)
        setattr(owner, name, wrapped)
        self._done.append((owner, name, original, wrapped))

    def restore(self) -> None:
        """Put the originals back, except where somebody else has replaced our wrapper since."""
        while self._done:
            owner, name, original, wrapped = self._done.pop()
            if vars(owner).get(name) is wrapped:
                setattr(owner, name, original)

    def __bool__(self) -> bool:
        return bool(self._done)


class OnDemand:
    """Wraps as long as there is a reason: a callback that somebody may use, say, or autolog."""

    def __init__(self, wrap: Callable[[Wrappers], object]) -> None:
        self._wrap = wrap
        self._wrappers = Wrappers()
        self._reasons: set[str] = set()

    def want(self, reason: str) -> None:
        """Wrap, unless that is done already."""
        self._reasons.add(reason)
        if not self._wrappers:
            self._wrap(self._wrappers)

    def unwant(self, reason: str) -> None:
        """Put everything back, unless there is another reason."""
        self._reasons.discard(reason)
        if not self._reasons:
            self._wrappers.restore()

    def is_wanted(self, reason: str) -> bool:
        """Return True if a reason was given, and not taken back."""
        return reason in self._reasons


class Calls(Generic[C]):
    """The calls of wrapped functions that are under way in a context (thread or task), the innermost first."""

    def __init__(self, name: str) -> None:
        self._stack: ContextVar[tuple[C, ...]] = ContextVar(name, default=())  # the innermost last

    def __iter__(self) -> Iterator[C]:
        return reversed(self._stack.get())

    @property
    def innermost(self) -> C | None:
        """The call that was begun last; None where none is under way."""
        return next(iter(self), None)

    @guards.unseen
    def during(self, call: C, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the function, and end `call` with it."""
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
    """Values by object, as long as the objects live. These need not be hashable, nor equal to themselves only."""

    def __init__(self) -> None:
        self._values: dict[int, tuple[weakref.ref[Any], T]] = {}

    def get(self, key: Any) -> T | None:
        """Return the value of this very object; None where it has none."""
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
        """Forget the object, and return the value that it had."""
        value = self.get(key)
        if value is not None:
            del self._values[id(key)]
        return value

    def __bool__(self) -> bool:
        return bool(self._values)


class _Tokens(ByIdentity[object], Part):
    """The tokens of objects. A forked child keeps them, as it keeps the objects."""

    inherited = True


def token_of(item: Any) -> object:
    """Return what stands for this very object, as an id would, and for no other one when it is gone."""
    tokens = process.part(_Tokens)
    found = tokens.get(item)
    if found is None:
        found = object()
        tokens.set(item, found)
    return found


def check_version(framework: str, version: str, tested: Sequence[str]) -> None:
    """Warn of a version that runlore was not tested with, if its first two numbers are not among `tested`."""
    if ".".join(version.split(".")[:2]) not in tested:
        guards.warn(f"{framework} {version} is not tested with runlore: it may record less than usual")


def arguments(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return the arguments of a call by name, defaults included; {} where they don't fit, which the call will tell."""
    try:
        bound = inspect.signature(function).bind(*args, **kwargs)
    except TypeError:
        return {}
    bound.apply_defaults()
    return dict(bound.arguments)
