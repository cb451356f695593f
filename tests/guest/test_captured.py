"""Params that somebody passed are told from those that are only captured."""

import math
from types import MappingProxyType
from typing import Any

from runlore import FitSession, Store
from runlore.guest.captured import Captured, defaults_of, is_default, marked, told_apart


class Base:
    def __init__(self, depth: int = 3, *, shuffle: bool = True) -> None: ...


class HandsOn(Base):
    def __init__(self, rate: float, depth: int = 5, **more: Any) -> None: ...


class Sets(Base):
    def __init__(self, rate: float = 0.1) -> None: ...


class Inherits(Sets):
    pass


class Hostile:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not to be compared")

    __hash__ = None  # type: ignore[assignment]


def test_marks_are_found_in_dicts_within_dicts() -> None:
    own = MappingProxyType({"a": 1})
    params = {
        "lr": 0.1, "version": Captured("1.2"), "empty": {}, "own": own,
        "fit": {"epochs": 3, "shuffle": Captured(True)}, "model": {"parts": Captured({"size": 21})},
    }  # fmt: skip
    passed, captured = told_apart(params)
    assert passed == {"lr": 0.1, "empty": {}, "own": own, "fit": {"epochs": 3}}
    assert captured == {"version": "1.2", "fit": {"shuffle": True}, "model": {"parts": {"size": 21}}}


def test_a_dict_that_holds_itself_is_no_trap() -> None:
    params: dict[str, Any] = {"lr": 0.1}
    params["self"] = params
    passed, captured = told_apart(params)
    assert (passed["lr"], captured) == (0.1, {})


def test_what_equals_the_default_of_an_argument_is_captured() -> None:
    values = {"rate": 0.1, "depth": 5, "shuffle": False, "steps": 7}
    found = marked(values, defaults_of(HandsOn))
    assert found == {"rate": 0.1, "depth": Captured(5), "shuffle": False, "steps": Captured(7)}


def test_arguments_of_a_base_count_where_they_can_be_passed() -> None:
    assert defaults_of(HandsOn)["shuffle"] is True
    assert defaults_of(HandsOn)["depth"] == 5
    assert "depth" not in defaults_of(Sets)
    assert defaults_of(Inherits)["rate"] == 0.1
    assert defaults_of(int).keys() <= {"self"}
    assert defaults_of(marked).keys() == {"values", "defaults", "open_ended"}


def test_what_an_open_ended_call_takes_beside_its_arguments_was_passed() -> None:
    values, defaults = {"depth": 3, "rate": 0.1, "more": 1}, {"depth": 3, "rate": 0.2}
    assert marked(values, defaults) == {"depth": Captured(3), "rate": 0.1, "more": Captured(1)}
    assert marked(values, defaults, open_ended=True) == {"depth": Captured(3), "rate": 0.1, "more": 1}


def test_only_plain_values_are_compared() -> None:
    assert is_default(math.nan, float("nan"))
    assert is_default((1, 2), [1, 2])
    assert not is_default((1, Hostile()), (1, Hostile()))
    assert not is_default(Hostile(), Hostile())


def test_a_session_records_which_params_nobody_passed(store: Store) -> None:
    with FitSession.begin("mine", params=lambda: {"lr": 0.1, "eps": Captured(1e-8)}) as session:
        session.params({"fit": {"epochs": 3, "shuffle": Captured(True)}})
        session.params({"lr": Captured(0.2)})  # it was passed before
    (run,) = store.runs()
    assert run.params == {"lr": 0.2, "eps": 1e-8, "fit.epochs": 3, "fit.shuffle": True}
    assert run.captured == {"eps", "fit.shuffle"}
