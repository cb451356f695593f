"""Conditions as SQL: each against a Python evaluation of the same."""

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runlore import Store
from runlore.index.sql import compile_query
from tests.index.runs import VALUES, numbers

OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


def holds(value: Any, symbol: str, constant: Any) -> bool:
    """The rule: false for a missing value and another type; booleans are numbers; NaN compares as missing."""

    def number(item: Any) -> bool:
        return isinstance(item, bool | int | float) and not (isinstance(item, float) and math.isnan(item))

    value = str(value) if isinstance(value, list) else value  # asked for by its text
    if (number(value) and number(constant)) or (isinstance(value, str) and isinstance(constant, str)):
        return OPERATORS[symbol](value, constant)
    return False


atoms = st.tuples(st.sampled_from(sorted(OPERATORS)), st.sampled_from([True, 0, 1, 2.5, -1, "a", "b", "10", "zz"]))
trees = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(st.just("not"), inner),
        st.tuples(st.just("and"), inner, inner),
        st.tuples(st.just("or"), inner, inner),
    ),
    max_leaves=5,
)


def written(tree: Any) -> str:
    if tree[0] == "not":
        return f"(not {written(tree[1])})"
    if tree[0] in ("and", "or"):
        return f"({written(tree[1])} {tree[0]} {written(tree[2])})"
    return f"params.x {tree[0]} {tree[1]!r}"


def evaluated(tree: Any, value: Any) -> bool:
    if tree[0] == "not":
        return not evaluated(tree[1], value)
    if tree[0] == "and":
        return evaluated(tree[1], value) and evaluated(tree[2], value)
    if tree[0] == "or":
        return evaluated(tree[1], value) or evaluated(tree[2], value)
    return holds(value, tree[0], tree[1])


@given(trees)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_condition_finds_what_python_would(filled: Store, tree: Any) -> None:
    expected = [number for number, value in enumerate(VALUES) if evaluated(tree, None if number == 0 else value)]
    assert sorted(numbers(filled, written(tree))) == expected


@given(trees)
def test_every_mark_has_its_argument(tree: Any) -> None:
    where = f"{written(tree)} and params.x < tags.t and name in ['a', 'b'] and like(params.x, '?')"
    compiled = compile_query(where, lambda: 0.0)
    assert compiled.sql.count("?") == len(compiled.arguments)
    assert compiled.arguments[-2:] == ("x", "?")


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("params.n < 3", [0, 1, 2]),
        ("1 < params.n <= 3", [2, 3]),
        ("params.n in [1, 3, 99, 'x']", [1, 3]),
        ("params.n not in (0, 1, 2, 3, 4, 5, 6)", [7, 8, 9, 10]),
        ("params.x is None", [0]),
        ("params.x is not None and params.n < 3", [1, 2]),
        ('params["lambda"] >= 0.9', [9, 10]),
        ("metrics.loss.min == -1", [1]),
        ("metrics.loss.max > 9 and metrics.loss.last < 9", [10]),
        ("metrics.loss == 3", [5]),
        ("metrics.loss.count == 3 and params.n < 3", [1, 2]),
        ("metrics.loss is None", [0, 3, 6, 9]),
        ('metrics["val/loss"].max > 10', [10]),
        ("metrics.loss.min < metrics.loss.last", []),
        ("metrics.loss.max > metrics.loss.last and params.n < 5", [1, 2, 4]),
        ("tags.half == '1' and params.n < 4", [1, 3]),
        ("tags.half == 1", []),
        ("like(name, 'run-1%')", [1, 10]),
        ("match(name, '-[12]$')", [1, 2]),
        ("like(params.x, '1_')", [8]),
        ("name == 'run-4'", [4]),
        ("status == 'finished' and params.n == 2", [2]),
        ("status == 3", []),
        ("started > ago('1h') and params.n == 2", [2]),
        ("started < '2020-01-01'", []),
        ("duration < 60 and params.n == 7", [7]),
        ("env.python.implementation == 'CPython' and params.n == 1", [1]),
        ("env.packages.pluggy is not None and params.n == 1", [1]),
        ("parent is None and params.n == 3", [3]),
        ("not (params.n > 0)", [0]),
        ("True and params.n == 1", [1]),
    ],
)
def test_a_condition_finds_its_runs(filled: Store, where: str, expected: list[int]) -> None:
    assert sorted(numbers(filled, where)) == expected


def test_metrics_are_asked_for_as_they_were_computed_and_params_as_they_were_written(store: Store) -> None:
    np = pytest.importorskip("numpy")
    with store.start_run(params={"lr": np.float32(0.7)}) as run:
        run.log_metrics({"acc": np.float32(0.7)})
    expected = {"params.lr == 0.7": 1, "metrics.acc == 0.7": 0, "metrics.acc >= 0.7": 0}
    assert {query: len(store.runs(query)) for query in expected} == expected
    assert len(store.runs("metrics.acc == 0.699999988079071 and metrics.acc > 0.6999")) == 1
