"""Queries without children and without repetitions."""

import pytest

from runlore import Store
from runlore.analysis.scope import independent, with_children


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
