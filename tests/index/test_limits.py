"""What a question may ask for: more is refused in a sentence, and the index stays what it is."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.analysis.tables import read_table
from runlore.errors import QueryError, RunloreWarning, RunNotFound
from runlore.index.database import Sqlite
from runlore.index.mistakes import MAX_CONDITIONS, MAX_DEPTH, MAX_NAME, MAX_PATTERN, MAX_SORTED
from tests.commands import runlore
from tests.index.runs import numbers

TOO_MUCH = {
    "conditions": " or ".join(["params.n == 1"] * (MAX_CONDITIONS + 1)),
    "chained": " < ".join(["params.n"] * (MAX_CONDITIONS + 2)),
    "depth": "not " * (MAX_DEPTH + 1) + "params.n == 1",
    "very deep": "not " * 950 + "params.n == 1",
    "parentheses": "(" * 100_000 + "params.n == 1" + ")" * 100_000,
    "signs": "-" * 30_000 + "1 == params.n",
    "length": "params.n == 1 " + " " * 200_000,
    "values": f"params.n in {list(range(10_001))}",
    "name": f"params.{'n' * (MAX_NAME + 1)} == 1",
    "like": f"like(name, '{'%a' * MAX_PATTERN}')",
    "match": f"match(name, '{'a' * (MAX_PATTERN + 1)}')",
    "ranges": "match(name, '(?i)[\\x00-\\U0010ffff]')",
    "repeats": "match(name, 'a{99999999999999999999}')",
    "digits": f"params.n == 0x{'f' * 5000}",
    "decimal digits": f"params.n == {'9' * 5000}",
    "unknown digits": f"0x{'f' * 5000} + 1",
    "ago": f"started > ago('{'9' * 300}d')",
    "ago of a number": f"started > ago(0x{'f' * 5000})",
    "surrogate in a key": 'params["\\ud800"] == 1',
    "surrogate in a text": 'params.n == "\\ud800"',
    "surrogate of the command line": "params.n == '\udce9'",
}


@pytest.mark.parametrize("where", TOO_MUCH.values(), ids=TOO_MUCH.keys())
def test_a_question_that_asks_for_too_much_is_refused_in_words(filled: Store, where: str) -> None:
    with pytest.raises(QueryError) as caught:
        filled.runs(where)
    assert len(str(caught.value)) < 1500
    assert len(caught.value.reason) < 600


ORDERS = {
    "fields": ",".join(f"params.p{number}" for number in range(MAX_SORTED + 1)),
    "surrogate": 'params["\\ud800"]',
    "name": "-params." + "n" * (MAX_NAME + 1),
}


@pytest.mark.parametrize("sort", ORDERS.values(), ids=ORDERS.keys())
def test_an_order_that_asks_for_too_much_is_refused_in_words(filled: Store, sort: str) -> None:
    """SQLite 3.40 once ended the process at 64 terms of an order."""
    with pytest.raises(QueryError):
        filled.runs(sort=sort)
    with pytest.raises(QueryError):
        read_table(filled, columns=[sort] * 3)


def test_what_is_below_the_limits_is_answered(filled: Store) -> None:
    assert numbers(filled, " or ".join(["params.n == 1"] * MAX_CONDITIONS)) == [1]
    assert numbers(filled, "not " * MAX_DEPTH + "params.n == 1") == [1]
    order = ",".join(["-params.n", *(f"params.p{number}" for number in range(MAX_SORTED - 1))])
    assert numbers(filled, "", sort=order, limit=2) == [10, 9]
    assert numbers(filled, f"params.n < {10**999}", sort="id") == list(range(11))
    filled.check_query(f"params.{'n' * MAX_NAME} == 1")


def test_as_many_columns_as_the_page_shows_may_be_of_the_environment(filled: Store) -> None:
    """SQLite joins no more than 64 tables, and a fact of the environment takes two."""
    columns = ["params.n", *(f"env.python.k{number}" for number in range(60)), "env.python.version", "name"]
    found = read_table(filled, "params.n < 3", columns, sort="-params.n")
    assert [(row.values[0], row.values[-1]) for row in found.rows] == [(2, "run-2"), (1, "run-1"), (0, "run-0")]
    assert {row.values[-2] for row in found.rows} == {filled.runs()[0].environment["python"]["version"]}
    assert {value for row in found.rows for value in row.values[1:-2]} == {None}
    with pytest.raises(QueryError, match="at most 200"):
        read_table(filled, columns=["params.n"] * 201)


def test_a_name_of_a_run_may_have_any_length(filled: Store) -> None:
    """A pattern of LIKE may not: SQLite's refusal was once taken for a damaged index, which was made anew."""
    place = filled.index.path
    for part in ("a" * 50_100, "\ud800", "x" * 65):
        with pytest.raises(RunNotFound) as told:
            filled.run(part)
        assert len(str(told.value)) < 1000
    assert filled.index.path == place is not None


def test_an_answer_that_takes_too_long_is_given_up(filled: Store) -> None:
    def endless(database: Sqlite) -> object:
        return database.query("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT MAX(n) FROM c")

    place = filled.index.path
    filled.index.answer_s = 0.2
    began = time.monotonic()
    with pytest.raises(QueryError, match=r"longer than 0\.2 s"):
        filled.ask(endless)
    assert time.monotonic() - began < 60
    assert filled.index.path == place is not None
    assert numbers(filled, "params.n == 1") == [1]


def test_commands_say_it_and_exit_with_2(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_STORE", str(filled.root))
    asked: list[Callable[[], tuple[str, ...]]] = [
        lambda: ("ls", "--sort", ORDERS["fields"]),
        lambda: ("ls", TOO_MUCH["digits"]),
        lambda: ("ls", TOO_MUCH["ago"]),
        lambda: ("ls", "-c", 'params["\\ud800"]'),
        lambda: (
            "ls",
            "match(name, '(a+)+$')",
            *[word for number in range(201) for word in ("-c", f"params.{number}")],
        ),
    ]
    for ask in asked:
        done = runlore(*ask())
        assert (done.exit_code, "Traceback" in done.stderr) == (2, False), done.stderr[:500]


def test_hints_are_few(filled: Store) -> None:
    with pytest.warns(RunloreWarning):
        found = filled.runs(" or ".join(f"params.nn{number} == 1" for number in range(100)))
    assert 0 < len(found.hints) <= 3
    assert all(len(hint) < 1500 for hint in found.hints)


def test_the_error_of_a_long_query_shows_the_part_around_its_place(tmp_path: Path) -> None:
    where = "params.n == 1 and " * 150 + "nothing == 2" + " and params.n == 1" * 20
    with pytest.raises(QueryError) as caught:
        Store(tmp_path / "store").runs(where)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^") :].startswith("nothing == 2")
    assert where[caught.value.column :].startswith("nothing == 2")
    assert len(shown) < 500
