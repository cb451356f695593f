"""Runs in their order, page by page, and what is too much."""

import sqlite3
from dataclasses import replace

import pytest

from runlore import Store
from runlore.errors import QueryError
from runlore.index.parse import parse_sort
from runlore.index.select import count_of, read_page, select, values_of
from runlore.index.sql import compile_query
from tests.index.runs import numbers


def test_missing_values_and_nan_sort_last_either_way(filled: Store) -> None:
    present = [1, 2, 4, 5, 7, 8, 10]
    missing = [9, 6, 3, 0]
    assert numbers(filled, "", sort="metrics.loss") == present + missing
    assert numbers(filled, "", sort="-metrics.loss") == present[::-1] + missing
    assert numbers(filled, "", sort="-metrics.loss.max", limit=3) == [10, 8, 7]
    assert numbers(filled, "", sort="-metrics.loss.max", limit=9) == [*present[::-1], 9, 6]
    assert numbers(filled, "params.x > -5", sort="-params.x, name")[:2] == [4, 1]
    assert numbers(filled, "params.n < 4", sort="tags.half, -params.n") == [2, 0, 3, 1]


@pytest.mark.parametrize("limit", [None, 9])
def test_texts_sort_as_people_count(store: Store, limit: int | None) -> None:
    """ "10" came before "9", and run-10 before run-2."""
    values: list[object] = [7, 30, "-1", "1e-4", "0.001", "9", "10", "v2", "v10", "v10b", "w"]
    for place in (3, 0, 8, 5, 2, 10, 1, 7, 4, 9, 6):
        with store.start_run(f"run-{place}", params={"x": values[place]}, tags={"of": f"a{place}/1"}):
            pass
    up = list(range(11))
    for sort, order in {
        "name": up, "-name": up[::-1], "tags.of": up, "-tags.of": up[::-1],
        "params.x": up, "-params.x": [1, 0, *up[:1:-1]],
    }.items():  # fmt: skip
        names = [run.name for run in store.runs(sort=sort, limit=limit)]
        assert names == [f"run-{place}" for place in order][:limit]


def test_newest_come_first_unless_asked_otherwise(filled: Store) -> None:
    assert numbers(filled, "", limit=3) == [10, 9, 8]
    assert numbers(filled, "", sort="started", limit=2) == [0, 1]
    assert numbers(filled, "", sort="env.python.version", limit=1) == [10]


def test_a_long_list_of_candidates_is_no_problem(filled: Store) -> None:
    assert numbers(filled, f"params.n in {list(range(5000))}", sort="id") == list(range(11))
    long = " or ".join(f"params.n == {number}" for number in range(3000))
    with pytest.raises(QueryError, match="too large"):
        filled.runs(long)


def test_a_question_that_is_too_large_leaves_the_index_alone(filled: Store) -> None:
    one = compile_query("params.n == 1", lambda: 0.0)  # what the limits of queries leave out
    long = replace(one, sql=" OR ".join([one.sql] * 3000), arguments=one.arguments * 3000)
    place = filled.index.path
    for ask in (
        lambda: filled.ask(count_of, long),
        lambda: filled.ask(values_of, long, []),
        lambda: filled.ask(read_page, long, [], [], 0, 10),
        lambda: filled.ask(select, long, parse_sort("metrics.loss"), 3),
    ):
        with pytest.raises(QueryError, match="too large"):
            ask()
    with pytest.raises(sqlite3.OperationalError):
        filled.ask(lambda database: database.query("SELECT no_such_function()"))
    assert filled.index.path == place is not None
