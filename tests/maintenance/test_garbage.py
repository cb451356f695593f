"""Freeing the space of files that no run needs, and of no others."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.maintenance.garbage import collect, find_garbage, sizes
from runlore.maintenance.removal import NothingToUndo, remove, undo
from tests.commands import document
from tests.maintenance.files import age, blobs
from tests.process import Process

Python = Callable[..., Process]


def test_room_is_freed_of_what_no_run_names_and_of_nothing_else(family: Store) -> None:
    orphan = family.root / "blobs" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x" * 1000)
    draft = family.root / "runs" / ".forgotten.tmp"
    draft.write_bytes(b"y" * 10)
    needed = blobs(family) - {orphan.name}
    assert find_garbage(family).size == 0, "too young"
    age(family.root)
    garbage = find_garbage(family)
    assert (garbage.size, [path.name for path, _ in garbage.blobs]) == (1010, [orphan.name])
    assert collect(family, garbage) == 1010
    assert blobs(family) == needed
    assert not draft.exists()
    assert family.run("parent").artifact("model").read_bytes() == b"the parent's"


def test_room_of_removed_runs_is_freed_with_what_only_they_named(family: Store) -> None:
    kept = family.run("else").artifact("model").sha256
    gone = family.run("parent").artifact("model").sha256
    remove(family, [family.run("parent")])
    age(family.root)
    dry = document("gc", "--dry-run", "--json")
    assert dry["removed"]["files"] == 4
    assert gone in blobs(family)
    assert document("gc", "--json")["bytes"] == dry["bytes"] > 0
    assert kept in blobs(family)
    assert gone not in blobs(family)
    with pytest.raises(NothingToUndo):
        undo(family)
    assert document("gc", "--json")["bytes"] == 0
    assert family.run("else").artifact("model").read_bytes() == b"somebody else's"
    assert family.run("else").environment["packages"]


def test_content_that_is_kept_again_counts_as_new(family: Store, tmp_path: Path) -> None:
    remove(family, [family.run("parent")])
    age(family.root)
    garbage = find_garbage(family)
    (tmp_path / "again").write_bytes(b"the parent's")
    with family.start_run("again") as run:
        run.log_artifact(tmp_path / "again")
    collect(family, garbage)
    assert family.run("again").artifact("again").read_bytes() == b"the parent's"


def test_no_content_is_freed_while_a_file_cannot_be_read(family: Store) -> None:
    orphan = family.root / "blobs" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    path = next((family.root / "runs").rglob(f"{family.run('else').id}*.run"))
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    age(family.root)
    garbage = find_garbage(family)
    assert garbage.blobs == ()
    assert "blobs are left alone" in garbage.kept[0]


def test_marks_of_processes_that_are_gone_are_freed_and_no_others(family: Store, python: Python) -> None:
    """One stayed for ever of each process that was killed."""
    script = "import runlore, time\nrunlore.start_run()\nprint('on', flush=True)\ntime.sleep(60)"
    killed, alive = python(script, RUNLORE_STORE=str(family.root)), python(script, RUNLORE_STORE=str(family.root))
    assert (killed.line(), alive.line()) == ("on", "on")
    killed.kill()
    left = {path.name for path in family.folder.marks.iterdir()}
    age(family.root)
    collect(family, find_garbage(family))
    assert {name.split("-")[1] for name in left} - {name.split("-")[1] for name in marks(family)} == {str(killed.pid)}
    assert str(alive.pid) in {name.split("-")[1] for name in marks(family)}
    alive.kill()
    family.runs()
    age(family.root)
    collect(family, find_garbage(family))
    assert marks(family) == set()


def marks(store: Store) -> set[str]:
    return {path.name for path in store.folder.marks.iterdir()}


@pytest.mark.stress
def test_folders_of_any_depth_stop_nobody(family: Store) -> None:
    """A thousand of them ended `gc` in a traceback."""
    place = os.open(family.root / "blobs", os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("d", dir_fd=place)
        above, place = place, os.open("d", os.O_RDONLY, dir_fd=place)
        os.close(above)
    os.close(place)
    try:
        collect(family, find_garbage(family))
        assert sizes(family)["blobs"] > 0
    finally:
        subprocess.run(["rm", "-rf", str(family.root / "blobs" / "d")], check=True)  # pytest can't
