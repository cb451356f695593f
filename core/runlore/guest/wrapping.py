"""Call a framework's functions through an integration for a while, and know which of those calls are under way."""

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from types import FrameType, ModuleType, TracebackType
from typing import Any, Generic, Protocol, TypeVar

from runlore._process import Part, process
from runlore.guest import fits, guards
from runlore.provenance.call_site import Written as Written  # offered here, too

T = TypeVar("T")

Wrapper = Callable[..., Any]  # called with the original function before its arguments


class Call(Protocol):
    """Stands for one call of a wrapped function, from its beginning to its end: a fit, an evaluation, a search."""

    def end(self, error: BaseException | None) -> None:
        """Note that the call returned, or raised `error`. Must not raise."""


C = TypeVar("C", bound=Call)


class _Watched:
    """An original function as its wrapper calls it: knows what became of the call, should the wrapper fail."""

    __slots__ = ("__wrapped__", "error", "is_called", "result", "trace")

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function
        self.is_called = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.trace: TracebackType | None = None

    @guards.unseen
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.is_called = True
        try:
            self.result = self.__wrapped__(*args, **kwargs)
        except BaseException as error:
            self.error, self.trace = error, getattr(error.__traceback__, "tb_next", None)  # without this frame
            raise
        return self.result

    @guards.unseen
    def complete(self, before: "fits.Stay | None", failure: str, args: Any, kwargs: Any) -> Any:
        """Return what the call returns, or raise what it raises; it is made now if the wrapper has not made it.

        Fits that were begun since `before`, and not ended, end with it.
        """
        if not self.is_called:
            with suppress(BaseException):
                self(*args, **kwargs)
        _end_since(before, failure, self.error)
        if self.error is not None:
            raise self.error.with_traceback(self.trace)
        return self.result

    def __get__(self, instance: object, owner: type | None = None) -> Callable[..., Any]:
        return self if instance is None else functools.partial(self, instance)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)  # its name and documentation


def guarded(wrapper: Wrapper, original: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls `wrapper(original, …)`, and can't harm the call: the original is called just once.

    What the original returns or raises is what the caller gets, whether the wrapper fails before or behind it. Its
    tracebacks don't show the wrapper. The first failure is reported; fits that the wrapper has begun end with the call.
    """
    reported = False

    @guards.unseen
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal reported
        watched, before = _Watched(original), fits.innermost()
        try:
            try:
                return wrapper(watched, *args, **kwargs)
            except BaseException as error:
                if error is watched.error:
                    error.with_traceback(watched.trace)
                    guards.hide_frames(error)
                    raise
                if not isinstance(error, Exception):
                    raise  # Ctrl-C meanwhile
                failure = f"{type(error).__name__}: {error}"
            if not reported:
                reported = True
                guards.warn(f"less is recorded: {wrapper.__qualname__} failed: {failure}")
            return watched.complete(before, failure, args, kwargs)
        finally:
            watched.error = watched.trace = None  # else they would hold the frames that they went through

    return wrapped


class _Block:
    """A block around a call, which it can't harm; see `guarded_block`."""

    def __init__(self, begin: Callable[[], AbstractContextManager[Any]], name: str, instead: Callable[[], Any]) -> None:
        self._begin = begin
        self._name = name
        self._instead = instead
        self._before = fits.innermost()
        self._failure = ""
        self._inner: AbstractContextManager[Any] | None = None

    def __enter__(self) -> Any:
        try:
            inner = self._begin()
            given = inner.__enter__()
        except Exception as error:  # ours, and the user's call comes now
            self._fail(error)
            return self._instead()
        self._inner = inner
        return given

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._inner is not None:
                self._inner.__exit__(kind, error, trace)
        except Exception as second:  # ours, and the user's call has ended
            if second is not error:
                self._fail(second)
        if self._failure:
            _end_since(self._before, self._failure, error)
        if error is not None:
            guards.hide_frames(error)

    def _fail(self, error: Exception) -> None:
        self._failure = f"{type(error).__name__}: {error}"
        guards.warn(f"less is recorded: {self._name} failed: {self._failure}")


def guarded_block(
    make: Callable[..., AbstractContextManager[Any]], instead: Callable[[], Any] = lambda: None
) -> Callable[..., AbstractContextManager[Any]]:
    """Return `make` with blocks that can't harm a call: where one fails, before the call or behind it, it is reported.

    What could not begin gives what `instead` returns. Fits that the block has begun end with it. It swallows nothing
    that the call raises, and what passes through it has no frame of an `unseen` function in its traceback.
    """

    @functools.wraps(make)
    def made(*args: Any, **kwargs: Any) -> AbstractContextManager[Any]:
        return _Block(functools.partial(make, *args, **kwargs), make.__qualname__, instead)

    return made


def _end_since(before: "fits.Stay | None", failure: str, error: BaseException | None) -> None:
    """End the fits that this context has begun since a stay as their call ended; they tell that they lack a part."""
    for stay in process.part(fits.Fits).begun_since(before):
        if stay.fit is not None:
            stay.fit.missing("part of the record", failure)
            stay.fit.end(error)
        process.part(fits.Fits).leave(stay)


class Wrappers:
    """Wraps functions of a framework. `restore` puts every attribute back, the very object that was there."""

    def __init__(self) -> None:
        self._done: list[tuple[Any, str, Any, Any]] = []  # owner, name, original, ours

    def wrap(self, owner: type | ModuleType, name: str, wrapper: Wrapper) -> None:
        """Let `wrapper(original, …)` be called instead of a function, or of a method where `owner` is a class.

        It is `guarded`. A method is wrapped in the base class that defines it; a class method's `original` takes the
        class. Warnings and tracebacks pass over our frame; name, signature and documentation stay the original's.

        Raises:
            AttributeError: there is no such function.
        """
        if isinstance(owner, type):
            owner = next((base for base in owner.__mro__ if name in vars(base)), owner)
        original = vars(owner).get(name)
        kind, function = _unbound(original)
        if not callable(function):
            raise AttributeError(f"{owner.__name__} has no function {name!r}")
        wrapped = functools.wraps(function)(guarded(wrapper, function))
        ours = wrapped if kind is None else kind(wrapped)
        setattr(owner, name, ours)
        self._done.append((owner, name, original, ours))

    def precede(self, owner: type, name: str, note: Callable[..., object]) -> None:
        """Let `note` be called with the arguments of each call of a method, before it: `guards.preceded`."""
        original = vars(owner)[name]
        ours = guards.preceded(original, note)
        setattr(owner, name, ours)
        self._done.append((owner, name, original, ours))

    def follow(
        self,
        owner: type | ModuleType,
        name: str,
        note: guards.Note,
        *,
        also: Sequence[ModuleType] = (),
        by_all: bool = False,
        through: Sequence[str] = (),
    ) -> None:
        """Let `note` be called behind each call of a function by the user's own code, or `by_all`: `guards.followed`.

        A function is followed in the module that defines it, where pickle finds it, and where others offer it, `also`;
        a method where it is defined. Behind a class method `note` gets the class, too.

        Raises:
            AttributeError: there is no such function.
        """
        places: list[type | ModuleType] = [owner, *also]
        if isinstance(owner, type):
            places = [next((base for base in owner.__mro__ if name in vars(base)), owner)]
            original = vars(places[0]).get(name)
        else:
            original = getattr(owner, name, None)  # a module may load it only now
            home = sys.modules.get(str(getattr(original, "__module__", "")))
            places += [] if home is None else [home]
        kind, function = _unbound(original)
        if not callable(function):
            raise AttributeError(f"{owner.__name__} has no function {name!r}")
        follows = guards.followed(function, note, by_all=by_all, through=through)
        ours = follows if kind is None else kind(follows)
        for place in places:
            for known_as in {name, str(getattr(original, "__name__", name))}:
                if vars(place).get(known_as) is original:
                    setattr(place, known_as, ours)
                    self._done.append((place, known_as, original, ours))

    def restore(self) -> None:
        """Put the originals back, except where somebody else has replaced our wrapper since."""
        while self._done:
            owner, name, original, wrapped = self._done.pop()
            if vars(owner).get(name) is wrapped:
                setattr(owner, name, original)

    def __bool__(self) -> bool:
        return bool(self._done)


def _unbound(original: Any) -> tuple[Callable[[Any], Any] | None, Any]:
    """Return what makes a static or a class method of a function, None for any other, and the function."""
    kind = next((kind for kind in (staticmethod, classmethod) if isinstance(original, kind)), None)
    return kind, original if kind is None else original.__func__


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

    def values(self) -> list[T]:
        """Return the values of all objects that live."""
        return [value for _, value in list(self._values.values())]

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


def as_written(place: int, *keywords: str, running: Callable[..., Any] | None = None) -> Written:
    """Return what the user wrote for an argument of a call: by its place behind `self`, or by one of its keywords.

    The call is that of the wrapped function whose wrapper asks, which is `unseen`, or of one that is `running`, from
    which a framework has come to call us.
    """
    frame: FrameType | None = sys._getframe(1)
    if running is None:
        while frame is not None and frame.f_code.co_filename != guards.UNSEEN:
            frame = frame.f_back
    else:
        code = getattr(running, "__code__", None)
        while frame is not None and frame.f_code is not code:
            frame = frame.f_back
        frame = None if frame is None else frame.f_back
    while frame is not None and frame.f_code.co_filename == guards.UNSEEN:
        frame = frame.f_back
    return Written.at(frame, place, *keywords)
