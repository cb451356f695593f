"""Files whose hash was not known when they were recorded."""

import hashlib
from pathlib import Path
from typing import Any

from runlore import Store
from runlore.guest.additions import Additions
from runlore.index.contents import count_pending
from runlore.provenance.origins import which_run


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
