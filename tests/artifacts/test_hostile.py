"""Tests of artifacts whose record, or whose surroundings, mean harm."""

import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runlore import Store
from runlore.cli import main
from runlore.errors import ArtifactNotFound, UnsafePath
from tests.forged import ForgedStore
from tests.guest.test_checkpoints import digest, write

HOSTILE = ["../out.bin", "/etc/out.bin", "a/../../out.bin", "C:\\out.bin", "..\\out.bin", "C:out.bin", "a\0b", "."]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_recorded_path_leads_out_of_the_folder(store: Store, tmp_path: Path, name: str) -> None:
    with store.start_run("hostile") as run:
        run.run_log.keep_bytes(b"content", name="good", kind="model")
        blob = digest(b"content")
        member = [name, 7, blob]
        common = {
            "type": "artifact",
            "kind": "checkpoint",
            "size": 7,
            "stored": True,
            "step": 1,
            "epoch": 1,
            "roles": [],
        }
        run.run_log.event({**common, "name": "file", "path": f"/x/{name}", "sha256": blob})
        run.run_log.event({**common, "name": "folder", "path": "/x/folder", "sha256": "0" * 64, "files": [member]})
    before = sorted(path for path in tmp_path.rglob("*") if "store" not in path.parts and "cache" not in path.parts)
    found = store.run("hostile")
    with pytest.raises((UnsafePath, ArtifactNotFound, OSError)):
        found.artifact("folder").restore(tmp_path / "deep" / "out")
    done = CliRunner().invoke(main, ["restore", "hostile", "-a", "folder", "--to", str(tmp_path / "deep" / "out")])
    assert done.exit_code == 1
    after = sorted(path for path in tmp_path.rglob("*") if "store" not in path.parts and "cache" not in path.parts)
    assert [path for path in after if path.is_file()] == [path for path in before if path.is_file()]


def test_a_link_in_the_folder_leads_nowhere(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "step" / "sub" / "a.bin", b"content")
    with store.start_run("linked") as run:
        run.log_artifact(tmp_path / "step", kind="checkpoint")
    (tmp_path / "out" / "step").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "out" / "step" / "sub").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePath, match="through a link"):
        store.run("linked").artifact("step").restore(tmp_path / "out")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_linked_folder_in_the_way_is_refused(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "ck" / "model.bin", b"evil")
    with store.start_run("linked") as run:
        run.log_artifact(tmp_path / "ck", kind="checkpoint")
    write(tmp_path / "outside" / "model.bin", b"precious")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ck").symlink_to(tmp_path / "outside")
    with pytest.raises(UnsafePath, match="is a link"):
        store.run("linked").artifact("ck").restore(tmp_path / "out")
    done = CliRunner().invoke(main, ["restore", "linked", "-a", "ck", "--to", str(tmp_path / "out"), "--force"])
    assert done.exit_code == 1
    assert (tmp_path / "outside" / "model.bin").read_bytes() == b"precious"


@pytest.mark.parametrize(
    "fields",
    [
        {"files": [["a"]]},
        {"path": 5},
        {"sha256": 5},
        {"sha256": "../../etc/passwd"},
        {"roles": 5},
        {"files": [[5, 4, "x"]]},
    ],
    ids=str,
)
def test_a_malformed_record_costs_itself_only(store: Store, fields: dict[str, Any]) -> None:
    with store.start_run("good") as run:
        run.run_log.keep_bytes(b"content", name="good", kind="model")
    with store.start_run("bad") as run:
        event = {
            "type": "artifact",
            "name": "x",
            "kind": "file",
            "path": None,
            "size": 1,
            "sha256": None,
            "stored": True,
        }
        run.run_log.event({**event, "step": None, "epoch": None, "roles": [], **fields})
    assert store.run("good").artifact("good").read_bytes() == b"content"
    for name in ("good", "bad"):
        assert CliRunner().invoke(main, ["show", name]).exit_code == 0
    assert "an event 'artifact'" in str(store.run("bad").missing)


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


@pytest.mark.parametrize("where", ["the store", "its place", "a folder"])
def test_a_content_of_holes_is_refused_before_it_is_read(tmp_path: Path, where: str) -> None:
    """64 GB of zeros take no room in an archive, and minutes to be hashed."""
    forged = ForgedStore(tmp_path / "store")
    sha256, size = digest(b"what nobody can find"), 64 << 30
    blob = forged.root / "blobs" / sha256[:2] / sha256
    place = blob if where != "its place" else tmp_path / "w"
    place.parent.mkdir(exist_ok=True)
    with place.open("wb") as file:
        file.truncate(size)
    told: dict[str, Any] = {"size": size, "sha256": sha256, "stored": where != "its place"}
    if where == "a folder":
        told["files"] = [["f", size, sha256]]
    forged.run([{"type": "artifact", "name": "w", "kind": "file", "path": str(tmp_path / "w"), **told}], name="big")
    artifact = Store(forged.root).run("big").artifact("w")
    began = time.process_time()
    with pytest.raises(ArtifactNotFound, match="most of them holes"):
        artifact.restore(tmp_path / "out")
    if where == "the store":
        with pytest.raises(ArtifactNotFound, match="most of them holes"):
            artifact.read_bytes()
    assert time.process_time() - began < 1
    assert list((tmp_path / "out").rglob("*.*")) == []
