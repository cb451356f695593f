"""Files whose hash was not known when they were recorded."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from runlore import RunloreWarning, Store, open_store
from runlore.guest.additions import Additions
from runlore.guest.checkpoints import Checkpoints
from runlore.index.contents import count_pending
from runlore.log.frames import LOG_SIGNATURE, SLOT_END
from runlore.provenance import fingerprints
from runlore.provenance.hashing import complete_run
from runlore.provenance.origins import which_run
from tests.commands import runlore
from tests.forged import ForgedStore, json_frame


def artifact(store: Store, name: str) -> Any:
    return store.run("x").artifact(name)


def pending(store: Store) -> int:
    return store.ask(count_pending)


def test_a_pending_hash_is_completed_by_the_next_reader(store: Store, tmp_path: Path) -> None:
    for name in ("kept.bin", "changed.bin", "gone.bin"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part").write_bytes(b"part")
    with store.start_run("x") as run:
        for name in ("kept.bin", "changed.bin", "gone.bin", "folder"):
            run.log_artifact(tmp_path / name, keep=False)
    assert pending(store) == 4
    assert artifact(store, "kept.bin").sha256 is None
    (tmp_path / "changed.bin").write_bytes(b"something longer than it was")
    (tmp_path / "gone.bin").unlink()
    (origin,) = which_run(store, tmp_path / "kept.bin").found
    assert origin.artifact == "kept.bin"
    assert pending(store) == 0
    assert artifact(store, "kept.bin").sha256 == hashlib.sha256(b"kept.bin").hexdigest()
    assert artifact(store, "changed.bin").sha256 is None, "never under the wrong hash"
    assert len(which_run(store, tmp_path / "folder").found) == 1
    assert len(store.run("x").artifacts) == 4
    assert store.run("x").status == "finished"


def test_a_large_file_that_is_added_after_a_fit_is_pending_and_a_small_one_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789")
    (tmp_path / "small").write_bytes(b"01234")
    run = store.start_run("x")
    run.finish()
    for name in ("large", "small"):
        Additions(run).file(tmp_path / name, kind="model", most=5)
    assert (artifact(store, "large").stored, artifact(store, "small").stored) == (False, True)
    assert pending(store) == 1


# What nothing proves to be this user's

WISH: dict[str, Any] = {
    "type": "artifact", "name": "w", "kind": "checkpoint", "size": None, "sha256": None, "stored": False,
    "pending": True, "keep": True, "step": 1, "epoch": 1, "roles": ["last"], "id": "i",
}  # fmt: skip


def contents_of(store: Store) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(store.folder.blobs.rglob("*")) if path.is_file())


@pytest.fixture
def private(tmp_path: Path) -> Path:
    (tmp_path / "private.txt").write_text("private notes")
    return tmp_path / "private.txt"


def test_no_record_of_another_has_a_file_of_its_readers_opened(tmp_path: Path, private: Path) -> None:
    """Once, whoever read the run copied any file of theirs into the store, which goes back to its maker."""
    forged = ForgedStore(tmp_path / "forged")
    run = forged.run(
        [{**WISH, "path": str(private)}], name="victim", end={"time": 4_000_000_000_000_000, "status": "failed"}
    )
    os.utime(private, ns=(1, private.stat().st_mtime_ns))
    store = open_store(forged.root)
    with pytest.warns(RunloreWarning, match="1 file of run 'victim' not hashed and not kept: nothing proves"):
        complete_run(store.run(run))
    for command in (["show", "victim"], ["show", "victim", "--json"], ["which-run", "0123456789"]):
        runlore(*command, "--store", str(store.root))
    with store.start_run(resume=run) as again:
        assert again.run_log.mode == "resume"
        Checkpoints(again).settle()
    assert private.stat().st_atime_ns == 1, "it was read"
    assert b"private" not in contents_of(store)
    assert pending(store) == 1


def test_nor_does_one_that_was_added_to_a_run_of_this_user(store: Store, private: Path) -> None:
    """The log may begin truly; what follows, and what was changed in it, counts by its own proof."""
    with store.start_run("mine") as run:
        run.run_log.event({**WISH, "path": str(private.with_name("mine.bin"))})
    (item,) = store.folder.files_of(run.id)
    added = item.path.with_name(f"{run.id}.0009aaaa.log")
    events = [
        {"type": "open", "mode": "attach", "run": run.id},
        {**WISH, "id": "other", "path": str(private)},
        {"type": "artifact", "completes": True, "id": "i", "path": str(private), "pending": True, "size": 13},
    ]
    head = (LOG_SIGNATURE + b"\1\0").ljust(SLOT_END, b"\0")
    added.write_bytes(head + b"".join(json_frame("J", {"time": 1, **event}) for event in events))
    complete_run(store.run("mine"))
    assert b"private" not in contents_of(store)
    assert pending(store) == 2


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
@pytest.mark.parametrize("given", ["own", "added"])
def test_whose_a_file_of_a_run_is_gives_and_takes_no_trust(
    store: Store, private: Path, tmp_path: Path, given: str
) -> None:
    """Trainings in a container leave files of root's, and members of a group write into each other's runs."""
    (tmp_path / "mine.bin").write_bytes(b"mine")
    with store.start_run("x") as run:
        run.log_artifact(tmp_path / "mine.bin", keep=False)
    (item,) = store.folder.files_of(run.id)
    added = item.path.with_name(f"{run.id}.0009aaaa.log")
    events = [
        {"type": "open", "mode": "attach", "run": run.id},
        {**WISH, "id": "other", "path": str(private)},
        {"type": "tags", "values": {"team": "b"}},
    ]
    head = (LOG_SIGNATURE + b"\1\0").ljust(SLOT_END, b"\0")
    added.write_bytes(head + b"".join(json_frame("J", {"time": 1, **event}) for event in events))
    os.chown(item.path if given == "own" else added, 12345, -1)
    with pytest.warns(RunloreWarning, match="1 file of run 'x' not hashed and not kept: nothing proves"):
        complete_run(store.run("x"))
    assert artifact(store, "mine.bin").sha256 == hashlib.sha256(b"mine").hexdigest()
    assert (artifact(store, "w").sha256, pending(store)) == (None, 1)
    assert b"private" not in contents_of(store)
    assert (store.run("x").tags, store.run("x").status) == ({"team": "b"}, "finished"), "all of it is shown"


def test_weights_are_not_looked_for_in_files_that_another_named(
    tmp_path: Path, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: dict[str, Any] = {"size": 13, "sha256": hashlib.sha256(private.read_bytes()).hexdigest(), "pending": False}
    forged = ForgedStore(tmp_path / "forged")
    forged.run([{**WISH, **known, "path": str(private), "mtime_ns": private.stat().st_mtime_ns}])
    looked: list[Path] = []
    monkeypatch.setattr(fingerprints, "weights_of", lambda paths, *_: looked.extend(paths))
    fingerprints.record_weights(open_store(forged.root), 0)
    assert looked == []
