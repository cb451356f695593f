"""Queries without children, without repetitions and without runs that have not finished."""

import pytest

from runlore import Store
from runlore.analysis.scope import independent, left_out_text, listed, well_ended
from runlore.errors import QueryError
from runlore.maintenance.removal import Pinned, removable


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
    assert names(mixed, listed("")) == {"parent", "parent-again", "other"}
    assert names(mixed, listed("params.lr == 1 or params.lr == 2")) == {"parent", "parent-again", "other"}
    assert names(mixed, listed("parent is not None")) == {"child"}
    assert names(mixed, listed("", ["children"])) == {"parent", "child", "parent-again", "other"}


def test_repetitions_are_left_out_unless_they_are_asked_for(mixed: Store) -> None:
    assert names(mixed, independent("")) == {"parent", "other"}
    assert names(mixed, independent("params.lr == 1 or params.lr == 2")) == {"parent", "other"}
    assert names(mixed, independent("tags.reproduces is not None")) == {"parent-again"}
    assert names(mixed, independent("", ["children"])) == {"parent", "child", "parent-again", "other"}


def test_archived_runs_are_left_out_unless_they_are_asked_for(mixed: Store) -> None:
    mixed.run("other").archive()
    assert names(mixed, listed("")) == names(mixed, "not archived and parent is None") == {"parent", "parent-again"}
    assert names(mixed, independent("params.lr > 0")) == {"parent"}
    assert names(mixed, listed("", ["archived"])) == {"parent", "parent-again", "other"}
    assert names(mixed, listed("archived")) == names(mixed, listed('tags.archived == "yes"')) == {"other"}
    assert names(mixed, listed("name != 'archived'")) == {"parent", "parent-again"}
    mixed.run("other").archive(off=True)
    assert names(mixed, listed("")) == {"parent", "parent-again", "other"}


def test_a_query_finds_the_runs_that_nobody_may_remove(mixed: Store) -> None:
    mixed.run("other").set_tags({"pinned": "for the paper", "archived": "no"})
    assert names(mixed, "pinned") == names(mixed, "pinned and not archived") == {"other"}
    with pytest.raises(Pinned):
        removable(mixed, list(mixed.runs("pinned")))


def test_no_hint_says_that_nothing_is_archived_or_pinned(mixed: Store) -> None:
    assert mixed.runs(listed("not pinned")).hints == ()
    assert len(mixed.runs("tags.achived is None").hints) == 1


def test_a_query_that_is_wrong_is_shown_as_it_was_typed(mixed: Store) -> None:
    with pytest.raises(QueryError) as raised:
        independent("parms.lr < 1")
    assert raised.value.query == "parms.lr < 1"


def test_runs_that_have_not_finished_are_left_out_unless_their_status_is_asked_for(mixed: Store) -> None:
    mixed.start_run("broken", params={"lr": 1}).finish("failed")
    chosen, left_out = well_ended(mixed, "params.lr == 1", independent("params.lr == 1"))
    assert names(mixed, chosen) == {"parent"}
    assert [(run.name, run.status) for run in left_out] == [("broken", "failed")]
    for where, by in (("status != 'running'", ()), ("", ("status",))):
        chosen, left_out = well_ended(mixed, where, independent(where), by)
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
