"""Queries without children, without repetitions and without runs that have not finished."""

import pytest

from runlore import Store
from runlore.analysis.scope import independent, left_out_text, well_ended, with_children


@pytest.fixture
def mixed(store: Store) -> Store:
    with store.start_run("parent", params={"lr": 1}) as parent:
        store.start_run("child", params={"lr": 1}, parent=parent).finish()
    store.start_run("parent-again", params={"lr": 1}, tags={"reproduces": "parent"}).finish()
    store.start_run("other", params={"lr": 2}).finish()
    return store


def names(store: Store, where: str) -> set[str]:
    return {run.name for run in store.runs(where)}


def test_children_are_left_out_unless_they_are_asked_for(mixed: Store) -> None:
    assert names(mixed, with_children("", False)) == {"parent", "parent-again", "other"}
    assert names(mixed, with_children("params.lr == 1 or params.lr == 2", False)) == {"parent", "parent-again", "other"}
    assert names(mixed, with_children("parent is not None", False)) == {"child"}
    assert names(mixed, with_children("", True)) == {"parent", "child", "parent-again", "other"}


def test_repetitions_are_left_out_unless_they_are_asked_for(mixed: Store) -> None:
    assert names(mixed, independent("", False)) == {"parent", "other"}
    assert names(mixed, independent("params.lr == 1 or params.lr == 2", False)) == {"parent", "other"}
    assert names(mixed, independent("tags.reproduces is not None", False)) == {"parent-again"}
    assert names(mixed, independent("", True)) == {"parent", "child", "parent-again", "other"}


def test_runs_that_have_not_finished_are_left_out_unless_their_status_is_asked_for(mixed: Store) -> None:
    mixed.start_run("broken", params={"lr": 1}).finish("failed")
    chosen, left_out = well_ended(mixed, "params.lr == 1", independent("params.lr == 1", False))
    assert names(mixed, chosen) == {"parent"}
    assert [(run.name, run.status) for run in left_out] == [("broken", "failed")]
    for where, by in (("status != 'running'", ()), ("", ("status",))):
        chosen, left_out = well_ended(mixed, where, independent(where, False), by)
        assert names(mixed, chosen) == {"parent", "other", "broken"}
        assert left_out == ()


def test_who_is_left_out_is_said_in_one_line(mixed: Store) -> None:
    for number in range(7):
        mixed.start_run(f"bad-{number}\n" + "x" * 40).finish("failed")
    _, left_out = well_ended(mixed, "", "")
    text = left_out_text(left_out)
    assert text.startswith("7 runs left out, not finished: bad-0")
    assert text.endswith(" and 2 more. A query that names status counts them.")
    assert "\n" not in text
