"""The query language: every condition against a Python evaluation of the same, and errors that point and suggest."""

import math
import operator
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runlore import RunloreWarning, Store
from runlore.errors import QueryError

VALUES: list[Any] = [None, True, 0, 1, 2.5, -1, "a", "b", "10", math.nan, [1, 2]]
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("query") / "store")
    for number, value in enumerate(VALUES):
        params = {"x": value, "n": number, "lambda": number / 10}
        with store.start_run(f"run-{number}", params=params if number else {"n": 0}, tags={"half": number % 2}) as run:
            if number % 3:
                for step in range(3):
                    run.log_metrics({"loss": float(number - step)}, step=step)
                    run.log_metrics({"loss": number + step / 10}, step=step, split="val")
    return store


def numbers(store: Store, where: str, **options: Any) -> list[int]:
    return [run.params["n"] for run in store.runs(where, **options)]


def holds(value: Any, symbol: str, constant: Any) -> bool:
    """The rule: false for a missing value and another type; booleans are numbers; NaN compares as missing."""

    def number(item: Any) -> bool:
        return isinstance(item, bool | int | float) and not (isinstance(item, float) and math.isnan(item))

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


def test_missing_values_and_nan_sort_last_either_way(filled: Store) -> None:
    present = [1, 2, 4, 5, 7, 8, 10]
    missing = [9, 6, 3, 0]
    assert numbers(filled, "", sort="metrics.loss") == present + missing
    assert numbers(filled, "", sort="-metrics.loss") == present[::-1] + missing
    assert numbers(filled, "", sort="-metrics.loss.max", limit=3) == [10, 8, 7]
    assert numbers(filled, "", sort="-metrics.loss.max", limit=9) == [*present[::-1], 9, 6]
    assert numbers(filled, "params.x > -5", sort="-params.x, name")[:2] == [4, 1]
    assert numbers(filled, "params.n < 4", sort="tags.half, -params.n") == [2, 0, 3, 1]


def test_newest_come_first_unless_asked_otherwise(filled: Store) -> None:
    assert numbers(filled, "", limit=3) == [10, 9, 8]
    assert numbers(filled, "", sort="started", limit=2) == [0, 1]
    assert numbers(filled, "", sort="env.python.version", limit=1) == [10]


@pytest.mark.parametrize(
    ("where", "message", "column"),
    [
        ("metric.loss < 3", "did you mean metrics.loss", 0),
        ("params.n < 3 and stats == 'x'", "did you mean status", 17),
        ("params.n = 3", "did you mean ==", 0),
        ("metrics.val/loss < 3", r'did you mean metrics\["val/loss"\]', 0),
        ("metrics.val/loss.min < 3", r'did you mean metrics\["val/loss"\]\.min', 0),
        ("params.lambda < 3", r'params\["lambda"\]', 0),
        ("params.n", "compare params.n with something", 0),
        ("params < 3", "params is a table", 0),
        ("lr < 3", "did you mean params.lr or metrics.lr", 0),
        ("params.n + 1 < 3", "arithmetic", 0),
        ("1 < 2", "both sides are constants", 0),
        ("params.n in 3", "wants a list", 12),
        ("started > 'soon'", "is no time", 10),
        ("started > ago('soon')", "ago\\('7d'\\)", 10),
        ("match(name, '(')", "no regular expression", 12),
        ("open('/etc/passwd')", "no condition open", 0),
        ("__import__('os').system('true') == 0", "neither a field nor a constant", 0),
        ("params.n < 3 &", "not a query", 0),
        ("(params.n < 3) & (params.n > 1)", "write `and` and `or`", 0),
        ("'ä' == params.n and foo.x == 1", "there is no 'foo'", 20),
        ("lambda: 3", "neither a field", 0),
        ("not " * 5000 + "params.n == 1", "nested|not a query", 0),
    ],
)
def test_what_is_no_query_is_explained(filled: Store, where: str, message: str, column: int) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        filled.runs(where)
    assert column in (0, caught.value.column)
    assert str(caught.value).splitlines()[-1].strip() == "^"


def test_a_key_that_no_run_has_is_hinted_at(filled: Store) -> None:
    with pytest.warns(RunloreWarning, match=r"(?s)no run has metrics.losss.min: did you mean metrics.loss.min \?.*\^"):
        assert len(filled.runs("metrics.losss.min < 3")) == 0
    assert filled.runs("params.n == 1 or metrics.losss < 3").hints


def test_a_sort_by_nothing_is_explained(filled: Store) -> None:
    for sort in ("3", "metrics", "-", "foo.bar", "name,,id"):
        with pytest.raises(QueryError):
            filled.runs(sort=sort)


def test_a_long_list_of_candidates_is_no_problem(filled: Store) -> None:
    assert numbers(filled, f"params.n in {list(range(5000))}", sort="id") == list(range(11))
    long = " or ".join(f"params.n == {number}" for number in range(3000))
    with pytest.raises(QueryError, match="too large"):
        filled.runs(long)
