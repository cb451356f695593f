"""Functions of a framework are wrapped, and put back as they were."""

import inspect
from types import ModuleType
from typing import Any

import pytest

from runlore.guest.wrapping import Wrappers, arguments


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
