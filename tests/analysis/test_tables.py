"""Tables of runs, page by page."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import RunloreWarning, Store
from runlore.analysis import tables
from runlore.analysis.tables import each_run, known_keys, read_table, states, suggested_columns
from runlore.errors import QueryError
from runlore.index.fields import Field
from runlore.index.parse import parse_sort
from runlore.index.sql import compile_query
from runlore.maintenance.removal import remove


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Runs with ties, missing values and values of several kinds."""
    store = Store(tmp_path_factory.mktemp("tables") / "store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNLORE_QUIET", "1")
        for number in range(40):
            params = {"lr": number % 4 / 10, "mixed": [1, "text", 2.5, None][number % 4], "flag": number % 2 == 0}
            params = {key: value for key, value in params.items() if number % 7 or key != "lr"}
            with store.start_run(f"run-{number}", params=params, tags={"team": "ab"[number % 2]}) as run:
                if number % 3:
                    run.log_metrics({"loss": float(number % 5), "nan": float("nan")}, 0)
    return store


SORTS = st.sampled_from(
    ["", "params.lr", "-params.lr", "metrics.loss", "-metrics.loss.max", "params.mixed", "name", "-duration",
     "tags.team,-metrics.loss", "metrics.none"]
)  # fmt: skip
QUERIES = st.sampled_from(["", "params.lr > 0.1", "metrics.loss is None", 'tags.team == "a"', "params.flag == True"])


@given(QUERIES, SORTS, st.integers(0, 45), st.integers(0, 12))
@settings(max_examples=150)
def test_a_page_is_a_part_of_the_whole(filled: Store, where: str, sort: str, offset: int, limit: int) -> None:
    whole = filled.runs(where, sort=sort)
    page = read_table(filled, where, ["params.lr"], sort=sort, offset=offset, limit=limit)
    assert page.total == len(whole)
    assert [row.id for row in page.rows] == [run.id for run in whole[offset : offset + limit]]
    assert [row.values[0] for row in page.rows] == [run.params.get("lr") for run in whole[offset : offset + limit]]


def test_runs_come_one_after_the_other_as_in_a_list(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them were in memory at once, with their documents: gigabytes at 100,000."""
    monkeypatch.setattr(tables, "PART", 7)
    for where, sort, limit in (("", "", None), ("params.lr > 0.1", "-metrics.loss", 1 << 80), ("", "name", 0)):
        whole = filled.runs(where, sort=sort, limit=limit)
        found = list(each_run(filled, where, sort=sort, limit=limit))
        assert [(run.id, run.params) for run in found] == [(run.id, run.params) for run in whole]
    with pytest.warns(RunloreWarning, match="no run has params"):
        assert not list(each_run(filled, "params.nothing == 1"))


def test_a_run_that_is_removed_meanwhile_is_left_out(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "PART", 1)
    for name in ("old", "removed", "new"):
        store.start_run(name).finish()
    found = each_run(store)
    assert next(found).name == "new"
    remove(store, [store.run("removed")])
    store.start_run("later").finish()
    assert [run.name for run in found] == ["old"]


def test_values_are_of_every_kind(filled: Store) -> None:
    columns = ["params.mixed", "params.flag", "metrics.loss.count", "metrics.nan", "tags.team", "status", "duration"]
    rows = {row.name: row for row in read_table(filled, "", columns, limit=100).rows}
    assert rows["run-1"].values[:3] == ("text", "False", 1)
    assert math.isnan(rows["run-1"].values[3]), "a last value of NaN is not a missing one"
    assert rows["run-1"].values[4:6] == ("b", "finished")
    assert rows["run-2"].values[0] == 2.5
    assert rows["run-3"].values[:4] == (None, "False", None, None)
    assert rows["run-1"].values[6] == pytest.approx(rows["run-1"].duration)
    assert rows["run-1"].tags == {"team": "b"}


def test_children_are_counted(store: Store) -> None:
    with store.start_run("parent") as parent:
        for number in range(3):
            store.start_run(f"child-{number}", parent=parent).finish()
    rows = {row.name: row for row in read_table(store).rows}
    assert rows["parent"].children == 3
    assert rows["child-0"].children == 0
    assert rows["child-0"].parent == parent.id


def test_what_can_not_be_understood_is_refused(filled: Store) -> None:
    for arguments in (("params.lr <",), ("", ["nonsense"])):
        with pytest.raises(QueryError):
            read_table(filled, *arguments)
    with pytest.raises(QueryError):
        read_table(filled, sort="metrics")


def test_hints_are_those_of_runs(filled: Store) -> None:
    (hint,) = read_table(filled, "params.lrr > 1").hints
    assert "did you mean params.lr ?" in hint


def test_keys_tell_how_many_runs_have_them(filled: Store) -> None:
    keys = known_keys(filled)
    assert keys["params"] == {"lr": 34, "mixed": 40, "flag": 40}
    assert keys["metrics"] == {"loss": 26, "nan": 26}
    assert keys["tags"] == {"team": 40}
    assert "python.version" in keys["env"]


def test_columns_that_tell_runs_apart_are_suggested(filled: Store) -> None:
    assert {"metrics.loss", "params.lr", "tags.team"} <= set(suggested_columns(filled))


def test_states_differ_once_something_was_added(store: Store) -> None:
    assert states(store) == {}
    with store.start_run("a") as run:
        before = states(store)[run.id]
        run.log_metrics({"loss": 1.0})
        grown = states(store)[run.id]
    ended = states(store)[run.id]
    store.run("a").note("later")
    noted = states(store)[run.id]
    assert len({before, grown, ended, noted}) == 4
    assert (before[2], ended[2], noted[0]) == ("running", "finished", 2)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
@settings(max_examples=200)
def test_every_key_can_be_spelled(key: str) -> None:
    """In a query, in an order beside others, and as a column."""
    for field in (Field("params", key, "", 0), Field("metrics", key, "min", 0)):
        first, second = parse_sort(f"{field.text},-started")
        assert (first[0].table, first[0].key, first[0].column) == (field.table, field.key, field.column)
        assert (second[0].column, second[1]) == ("started", True)
        (found,) = compile_query(f"{field.text} is None", lambda: 0.0).fields
        assert found.key == key
