"""Artifacts as readers see them: found by name and role, restored byte for byte."""

import hashlib
import os
from pathlib import Path

import pytest

from runlore import Store
from runlore.errors import ArtifactNotFound


def test_a_file_comes_back_byte_for_byte(store: Store, tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    source = tmp_path / "model.pt"
    source.write_bytes(data)
    with store.start_run("files") as run:
        run.log_artifact(source, kind="model", name="best", step=3)
    source.write_bytes(b"overwritten later")
    artifact = store.run("files").artifact("best")
    assert (artifact.kind, artifact.size, artifact.step) == ("model", len(data), 3)
    assert artifact.sha256 == hashlib.sha256(data).hexdigest()
    assert artifact.restore(tmp_path / "out").read_bytes() == data
    assert (tmp_path / "out" / "model.pt").exists()


def test_a_folder_is_one_artifact_and_equal_files_are_kept_once(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(b"same")
    (folder / "deep" / "b.bin").write_bytes(b"same")
    (folder / "deep" / "c.bin").write_bytes(b"other")
    with store.start_run("folder") as run:
        run.log_artifact(folder)
    artifact = store.run("folder").artifact("checkpoint")
    lines = [(hashlib.sha256(b"same"), "a.bin"), (hashlib.sha256(b"same"), "deep/b.bin")]
    lines.append((hashlib.sha256(b"other"), "deep/c.bin"))
    text = "".join(sorted(f"{digest.hexdigest()}  {path}\n" for digest, path in lines))
    assert artifact.sha256 == hashlib.sha256(text.encode()).hexdigest()
    target = artifact.restore(tmp_path / "out")
    assert sorted(path.relative_to(target).as_posix() for path in target.rglob("*.bin")) == [
        "a.bin", "deep/b.bin", "deep/c.bin",
    ]  # fmt: skip
    blobs = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    assert len([path for path in blobs if path.stat().st_size < 10]) == 2


def test_the_newest_version_of_a_name_wins_and_roles_find_it(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "w.bin"
    with store.start_run("versions") as run:
        for number in range(3):
            source.write_bytes(bytes([number]))
            run.log_artifact(source, name="weights", roles=("best",) if number == 1 else ())
    found = store.run("versions")
    assert len(found.artifacts) == 3
    assert found.artifact("weights").read_bytes() == b"\2"
    assert found.artifact("best").read_bytes() == b"\1"
    with pytest.raises(ArtifactNotFound, match="it has: best, weights"):
        found.artifact("nothing")
