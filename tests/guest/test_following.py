"""Functions of a library are followed: calls by the user's own code are told, and nothing else differs."""

import pickle
import sys
import traceback
import warnings
from _thread import start_new_thread
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Event
from types import ModuleType
from typing import Any

import pytest

from runlore import RunloreWarning
from runlore.guest.wrapping import Wrappers

HOME = """
import warnings
def add(a, b=1):
    'Adds.'
    warnings.warn("adds", stacklevel=2)
    return a + b
def twice(a):
    return add(a, a)
class Adder:
    def add(self, a):
        return a + 1
"""
Told = list[tuple[tuple[Any, ...], Mapping[str, Any], Any]]


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, ModuleType]:
    """A library that is installed: a public module, and the one where things are defined."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "adding_home.py").write_text(HOME)
    (folder / "adding.py").write_text("from adding_home import *\nfrom time import sleep\n")
    monkeypatch.syspath_prepend(str(folder))
    from importlib import import_module

    found = import_module("adding"), import_module("adding_home")
    for module in found:
        monkeypatch.setitem(sys.modules, module.__name__, module)  # gone behind the test
    return found


@pytest.fixture
def wrappers() -> Wrappers:
    return Wrappers()


def noting(told: Told) -> Callable[..., None]:
    return lambda args, kwargs, result: told.append((args, dict(kwargs), result))


@pytest.mark.filterwarnings("ignore:adds")
def test_only_calls_by_the_users_own_code_are_told(library: tuple[ModuleType, ModuleType], wrappers: Wrappers) -> None:
    public, home = library
    original, told = home.add, Told()
    wrappers.follow(public, "add", noting(told))
    assert (public.add(1, b=2), public.twice(4), list(map(public.add, [1]))) == (3, 8, [2])
    assert told == [((1,), {"b": 2}, 3), ((1,), {}, 2)]
    assert public.add is home.add is not original
    assert pickle.loads(pickle.dumps(public.add)) is public.add  # as where it is handed to a pool
    wrappers.restore()
    assert public.add is home.add is original


@pytest.mark.filterwarnings("ignore:adds")
def test_a_call_that_no_code_of_pythons_makes_is_none_of_the_users(
    library: tuple[ModuleType, ModuleType], wrappers: Wrappers
) -> None:
    told, ended = Told(), Event()
    wrappers.follow(library[0], "add", noting(told))
    start_new_thread(library[0].add, (1, _Ending(ended)))  # called from C, with no frame below it
    assert ended.wait(10)
    assert not told


class _Ending(int):
    """A number that tells when somebody adds it."""

    def __new__(cls, ended: Event) -> "_Ending":
        found = super().__new__(cls, 1)
        found.ended = ended
        return found

    ended: Event

    def __radd__(self, other: int) -> int:
        self.ended.set()
        return other


def test_a_method_is_told_with_its_object(library: tuple[ModuleType, ModuleType], wrappers: Wrappers) -> None:
    told, adder = Told(), library[0].Adder()
    wrappers.follow(library[0].Adder, "add", noting(told))
    assert adder.add(1) == 2
    assert told == [((adder, 1), {}, 2)]


def test_warnings_and_tracebacks_are_those_without_us(
    library: tuple[ModuleType, ModuleType], wrappers: Wrappers
) -> None:
    def seen() -> list[Any]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            library[0].add(1)
        with pytest.raises(TypeError) as raised:
            library[0].add(1, 2, 3)
        frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(raised.value.__traceback__)]
        return [[(item.filename, item.lineno) for item in caught], frames, str(raised.value)]

    before = seen()
    wrappers.follow(library[0], "add", noting(Told()))
    assert seen() == before


def test_a_function_in_c_is_no_method_of_a_class_that_holds_it(
    library: tuple[ModuleType, ModuleType], wrappers: Wrappers
) -> None:
    told, original = Told(), library[0].sleep
    wrappers.follow(library[0], "sleep", noting(told))

    class Waits:
        wait = library[0].sleep

    Waits().wait(0)
    assert [args for args, _, _ in told] == [(0,)]
    ours = library[0].sleep
    assert (ours.__doc__, ours.__name__, repr(ours)) == (original.__doc__, "sleep", repr(original))
    assert pickle.loads(pickle.dumps(ours)) is ours
    wrappers.restore()
    assert library[0].sleep is sys.modules["time"].sleep is original


@pytest.mark.filterwarnings("ignore:adds")
def test_what_fails_behind_a_call_is_told_once(library: tuple[ModuleType, ModuleType], wrappers: Wrappers) -> None:
    wrappers.follow(library[0], "add", lambda args, kwargs, result: 1 / 0)
    with pytest.warns(RunloreWarning, match="less is recorded"):
        assert library[0].add(1) == 2
    with warnings.catch_warnings(record=True) as caught:
        assert library[0].add(1) == 2
    assert [item for item in caught if item.category is RunloreWarning] == []


def test_what_is_not_there_can_not_be_followed(library: tuple[ModuleType, ModuleType], wrappers: Wrappers) -> None:
    with pytest.raises(AttributeError, match="adding has no function 'subtract'"):
        wrappers.follow(library[0], "subtract", noting(Told()))


# What is told before a call


class Counter:
    def count(self, number: int, by: int = 1) -> float:
        """Divides."""
        return number / by


def test_what_precedes_a_call_has_its_arguments_and_ends(wrappers: Wrappers) -> None:
    before, told = Counter.__dict__["count"], []
    counter = Counter()
    wrappers.precede(Counter, "count", lambda *args, **kwargs: told.append((args, kwargs)))
    assert counter.count(4, by=2) == 2
    assert told == [((counter, 4), {"by": 2})]
    assert (Counter.count.__doc__, Counter.count.__name__) == ("Divides.", "count")
    with pytest.raises(ZeroDivisionError) as caught:
        counter.count(1, by=0)
    assert [entry.name for entry in caught.traceback] == [sys._getframe().f_code.co_name, "count"]
    wrappers.restore()
    assert Counter.__dict__["count"] is before


def test_what_precedes_a_call_can_not_harm_it(wrappers: Wrappers) -> None:
    wrappers.precede(Counter, "count", lambda *args, **kwargs: 1 / 0)
    with pytest.warns(RunloreWarning, match="less is recorded"):
        assert Counter().count(6, by=3) == 2
    assert Counter().count(6, by=3) == 2
