"""Files that must not be restored as they stand."""

from pathlib import Path

import pytest

from runlore import Store
from runlore.errors import ArtifactNotFound, UnsafePath


def test_a_recorded_name_cannot_climb_and_a_damaged_blob_is_not_restored(store: Store, tmp_path: Path) -> None:
    """A name with .. once led out of the folder, and damaged content was handed out."""
    (tmp_path / "src" / "sub").mkdir(parents=True)
    (tmp_path / "src" / "f").write_bytes(b"content")
    with store.start_run("files") as run:
        run.log_artifact(tmp_path / "src" / "sub" / "..", name="m")
        run.log_artifact(tmp_path / "src" / "f", name="f")
    with pytest.raises(UnsafePath):
        store.run("files").artifact("m").restore(tmp_path / "out" / "inner")
    artifact = store.run("files").artifact("f")
    assert artifact.sha256 is not None
    blob = artifact.blobs.path(artifact.sha256)
    blob.chmod(0o600)
    blob.write_bytes(b"c0ntent")
    with pytest.raises(ArtifactNotFound, match="damaged"):
        artifact.restore(tmp_path / "out")
    with pytest.raises(ArtifactNotFound, match="damaged"):
        artifact.read_bytes()
