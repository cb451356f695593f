"""Removing runs, and taking it back."""

import pytest

from runlore import Store
from runlore.errors import StillRunning
from runlore.maintenance import garbage as maintenance_garbage
from runlore.maintenance import removal
from runlore.maintenance.removal import NothingToUndo, remove, undo
from tests.commands import document, runlore
from tests.maintenance.files import age


def names(store: Store) -> set[str]:
    return {run.name for run in store.runs()}


def test_removing_takes_the_children_along_and_undo_brings_all_back(family: Store) -> None:
    before = {run.id: (run.status, run.started, dict(run.params)) for run in family.runs()}
    removed = remove(family, [family.run("parent")])
    assert {run.name for run in removed} == {"parent", "child-1", "grandchild", "child-2"}
    assert names(family) == {"else"}
    assert len(undo(family)) == 4
    assert {run.id: (run.status, run.started, dict(run.params)) for run in family.runs()} == before
    assert family.run("parent").artifact("model").read_bytes() == b"the parent's"
    with pytest.raises(NothingToUndo):
        undo(family)


def test_undo_goes_back_one_removal_at_a_time(family: Store) -> None:
    remove(family, [family.run("child-2")])
    remove(family, [family.run("else")])
    undo(family)
    assert "else" in names(family)
    assert "child-2" not in names(family)
    undo(family)
    assert "child-2" in names(family)


def test_a_run_that_is_being_written_is_not_removed(family: Store) -> None:
    with family.start_run("busy"), pytest.raises(StillRunning, match="'busy' .* is still being written"):
        remove(family, [family.run("else"), family.run("busy")])
    assert {"busy", "else"} <= names(family)


def test_a_pinned_run_is_not_removed_and_a_dry_run_removes_nothing(four: Store) -> None:
    runlore("pin", "run-2")
    done = runlore("rm", "--where", "params.lr >= 0")
    assert (done.exit_code, "is pinned" in done.output, len(four.runs())) == (1, True, 4)
    printed = runlore("rm", "run-0", "--dry-run").output
    assert "would remove run-0" in printed
    assert "1001 bytes" in printed
    assert len(four.runs()) == 4
    runlore("pin", "--off", "run-2")
    assert runlore("rm", "run-2").exit_code == 0
    assert len(four.runs()) == 3


def test_rm_undo_and_gc_say_what_they_did(family: Store) -> None:
    assert "removed child-1" in runlore("rm", "child-1").output
    assert "grandchild" not in names(family)
    assert "is back" in runlore("undo").output
    assert runlore("undo").exit_code == 1
    removed = document("rm", "--where", "like(name, 'child%')", "--json")
    assert document("rm", "--where", "name == 'none'", "--json") == []
    told = document("undo", "--dry-run", "--json")
    assert sorted(item["run"] for item in told) == sorted(removed)
    assert all(item["bytes"] > 0 for item in told)
    assert f"would bring back {removed[0]}, " in runlore("undo", "--dry-run").output
    assert sorted(document("undo", "--json")) == sorted(removed)
    assert runlore("undo", "--dry-run").exit_code == 1
    assert runlore("rm").exit_code == 2
    assert runlore("rm", "nobody").exit_code == 1
    assert runlore("rm", "--where", "nonsense ==").exit_code == 2
    done = runlore("gc", "--dry-run")
    assert "would free 0 bytes" in done.output


def test_gc_removes_nothing_that_it_did_not_list(store: Store) -> None:
    """A removal that was undone after the look for garbage once cost the run its files."""
    for name in "ab":
        with store.start_run(name) as run:
            run.run_log.keep_bytes(name.encode() * 50, name="m")
    garbage = maintenance_garbage.find_garbage(store)
    removal.remove(store, [store.run("b")])
    maintenance_garbage.collect(store, garbage)
    assert len(removal.undo(store)) == 1
    removal.remove(store, [store.run("b")])
    age(store.root)
    garbage = maintenance_garbage.find_garbage(store)
    removal.undo(store)
    maintenance_garbage.collect(store, garbage)
    assert store.run("b").artifact("m").read_bytes() == b"b" * 50
