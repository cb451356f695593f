"""Functions of a framework are wrapped, and put back as they were."""

import gc
import inspect
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from types import ModuleType
from typing import Any

import pytest

from runlore import FitSession, RunloreWarning, Store, guest
from runlore.guest.wrapping import Wrappers, arguments, guarded_block


class Base:
    def work(self, x: int, y: int = 2) -> int:
        """Adds."""
        return x + y


class Derived(Base):
    pass


def test_a_method_is_wrapped_where_it_is_defined_and_put_back() -> None:
    before = Base.__dict__["work"]
    seen: list[Any] = []
    wrappers = Wrappers()

    def watched(original: Any, self: Any, *args: Any) -> Any:
        seen.append(args)
        return original(self, *args)

    wrappers.wrap(Derived, "work", watched)
    assert "work" not in vars(Derived)
    assert (Derived().work(1), seen) == (3, [(1,)])
    assert (inspect.signature(Base.work), Base.work.__doc__) == (inspect.signature(before), "Adds.")
    wrappers.restore()
    assert Base.__dict__["work"] is before
    assert not wrappers


def test_static_methods_and_class_methods_stay_what_they_are() -> None:
    class Owner:
        @staticmethod
        def twice(x: int) -> int:
            return 2 * x

        @classmethod
        def name(cls) -> str:
            return cls.__name__

    class Inheriting(Owner):
        pass

    before = dict(vars(Owner))
    wrappers = Wrappers()
    wrappers.wrap(Owner, "twice", lambda original, x: original(x) + 1)
    wrappers.wrap(Inheriting, "name", lambda original, cls: f"the {original(cls)}")
    assert (Owner.twice(2), Owner().twice(2)) == (5, 5)
    assert (Owner.name(), Owner().name(), Inheriting.name()) == ("the Owner", "the Owner", "the Inheriting")
    assert "name" not in vars(Inheriting)
    wrappers.restore()
    assert dict(vars(Owner)) == before


def test_what_somebody_else_has_put_there_since_stays() -> None:
    module = ModuleType("module")
    module.load = lambda: 1  # type: ignore[attr-defined]
    wrappers = Wrappers()
    wrappers.wrap(module, "load", lambda original: original() + 1)
    assert module.load() == 2
    theirs = module.load = lambda: 3  # type: ignore[attr-defined]
    wrappers.restore()
    assert module.load is theirs


def test_there_must_be_something_to_wrap() -> None:
    with pytest.raises(AttributeError, match="Base has no function 'absent'"):
        Wrappers().wrap(Base, "absent", print)


def test_arguments_are_told_by_name() -> None:
    assert arguments(Base.work, None, 1) == {"self": None, "x": 1, "y": 2}
    assert arguments(Base.work, None, z=1) == {}


class Ours(Exception):
    """Raised by a wrapper of ours."""


class Theirs(Exception):
    """Raised by the user's function."""


def failing(place: str) -> Callable[..., Any]:
    """Return a wrapper that fails before, behind or while it passes on a call."""

    def wrapper(original: Callable[..., Any], *args: Any) -> Any:
        if place == "before":
            raise Ours
        try:
            result = original(*args)
        finally:
            if place == "meanwhile":
                raise Ours
        if place == "behind":
            raise Ours
        return result

    return wrapper


@pytest.mark.parametrize("place", ["before", "meanwhile", "behind"])
@pytest.mark.parametrize("error", [None, Theirs("user"), KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
def test_a_wrapper_that_fails_changes_nothing_of_the_call(place: str, error: BaseException | None) -> None:
    calls: list[int] = []

    def work(x: int) -> int:
        calls.append(x)
        if error is not None:
            raise error
        return x + 1

    module = ModuleType("module")
    module.work = work  # type: ignore[attr-defined]
    Wrappers().wrap(module, "work", failing(place))
    fails = error is None or place != "behind"
    with pytest.warns(RunloreWarning, match="less is recorded: .*wrapper failed: Ours") if fails else nullcontext():
        if error is None:
            assert module.work(1) == 2
        else:
            with pytest.raises(type(error)) as caught:
                module.work(1)
            assert caught.value is error
            assert (error.__context__, error.__cause__) == (None, None)
    assert calls == [1]
    with pytest.raises(type(error)) if error is not None else nullcontext():  # without a second word
        module.work(2)


def test_tracebacks_of_the_users_errors_have_no_frame_of_ours() -> None:
    def work() -> None:
        raise Theirs

    def passing(original: Callable[..., Any]) -> Any:
        with suppress(ZeroDivisionError):
            return original()

    module = ModuleType("module")
    module.work = work  # type: ignore[attr-defined]
    Wrappers().wrap(module, "work", passing)
    with pytest.raises(Theirs) as caught:
        module.work()
    assert [entry.name for entry in caught.traceback][1:] == ["work"]


def test_neither_have_those_of_wrappers_within_wrappers() -> None:
    def work() -> None:
        inner.work()

    def fail() -> None:
        raise Theirs

    def through(original: Callable[..., Any]) -> Any:
        with guest.frameless():
            return original()

    guest.unseen(through)
    inner, outer = ModuleType("inner"), ModuleType("outer")
    inner.work, outer.work = fail, work  # type: ignore[attr-defined]
    for module in (inner, outer):
        Wrappers().wrap(module, "work", through)
    with pytest.raises(Theirs) as caught:
        outer.work()
    assert [entry.name for entry in caught.traceback][1:] == ["work", "fail"]


def test_nothing_that_a_call_returns_or_raises_is_held() -> None:
    class Big:
        pass

    def work(error: bool) -> Big:
        big = Big()
        seen.append(weakref.ref(big))
        if error:
            raise Theirs
        return big

    seen: list[weakref.ref[Big]] = []
    module = ModuleType("module")
    module.work = work  # type: ignore[attr-defined]
    Wrappers().wrap(module, "work", lambda original, *args: original(*args))
    gc.disable()
    try:
        module.work(False)
        with suppress(Theirs):
            module.work(True)
        assert [reference() for reference in seen] == [None, None]
    finally:
        gc.enable()


def test_fits_that_a_failing_wrapper_has_begun_end_with_the_call(store: Store) -> None:
    """What is fitted later would be a part of them otherwise, and get no run."""

    def begins(original: Callable[..., Any], *args: Any) -> Any:
        FitSession.begin("own", guest.FitRequest(name=args[0]))
        raise Ours("between")

    def work(name: str) -> None:
        if name == "fails":
            raise Theirs

    module = ModuleType("module")
    module.work = work  # type: ignore[attr-defined]
    Wrappers().wrap(module, "work", begins)
    with pytest.warns(RunloreWarning):
        module.work("returns")
    with pytest.raises(Theirs):
        module.work("fails")
    assert not guest.in_fit()
    assert {run.name: run.status for run in store.runs()} == {"returns": "finished", "fails": "failed"}
    assert store.run("returns").missing == [{"what": "part of the record", "why": "Ours: between"}]


def test_a_bound_original_counts_as_called() -> None:
    def bound(original: Any, self: Any, *args: Any) -> Any:
        original.__get__(self)(*args)
        raise Ours

    calls: list[int] = []

    class Net:
        def work(self, x: int) -> int:
            calls.append(x)
            return x

    Wrappers().wrap(Net, "work", bound)
    with pytest.warns(RunloreWarning):
        assert Net().work(5) == 5
    assert calls == [5]


@pytest.mark.parametrize("place", ["made", "before", "behind", "nowhere"])
@pytest.mark.parametrize("error", [None, Theirs("user"), KeyboardInterrupt()])
def test_a_block_that_fails_changes_nothing_of_the_call(store: Store, place: str, error: BaseException | None) -> None:
    """And what it has begun ends with the call."""

    @contextmanager
    def block() -> Iterator[list[int]]:
        session = FitSession.begin("own", guest.FitRequest(name="fit"))
        if place == "before":
            raise Ours
        try:
            yield [1]
        finally:
            if place == "behind":
                raise Ours
            session.end(error)

    def make() -> AbstractContextManager[list[int]]:
        if place == "made":
            raise Ours
        return block()

    told: list[Any] = []
    with (
        nullcontext() if place == "nowhere" else pytest.warns(RunloreWarning, match="less is recorded: .*make failed"),
        nullcontext() if error is None else pytest.raises(type(error)),
        guarded_block(make, list)() as given,
    ):
        told.append(given)
        if error is not None:
            raise error
    assert told == [[1] if place in ("behind", "nowhere") else []]
    assert not guest.in_fit()
    status = {None: "finished", Theirs: "failed", KeyboardInterrupt: "interrupted"}[error and type(error)]
    assert [run.status for run in store.runs()] == ([] if place == "made" else [status])
