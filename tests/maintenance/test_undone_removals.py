"""Removals that are undone while garbage is collected."""

from runlore import Store
from runlore.maintenance import garbage as maintenance_garbage
from runlore.maintenance import removal
from tests.maintenance.files import age


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
