"""Artifacts: kept by content, restored byte for byte, never outside the target."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from runlore import RunloreError, Store
from runlore.artifacts.blobs import Blobs, Member, safe_join
from runlore.errors import ArtifactNotFound, UnsafePath
from tests.commands import runlore


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


def test_a_file_that_is_not_there_says_so(store: Store) -> None:
    with store.start_run() as run, pytest.raises(FileNotFoundError, match="no file or folder 'nope.pt'"):
        run.log_artifact("nope.pt")


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "..", "", "a\\..\\x", "C:/x", "C:x", "a\0b"])
def test_no_recorded_path_leads_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match="would lead outside"):
        safe_join(tmp_path, path)


def test_no_link_leads_outside(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "link").symlink_to(tmp_path)
    blobs = Blobs(tmp_path / "blobs")
    sha256 = blobs.put_bytes(b"evil")
    with pytest.raises(RunloreError, match="through a link"):
        blobs.restore([Member("link/escaped", 4, sha256)], tmp_path / "target")
    assert not (tmp_path / "escaped").exists()


# A whole run


def test_a_whole_run_is_restored_with_its_record(store: Store, tmp_path: Path) -> None:
    with store.start_run("a", params={"lr": 0.5}) as run:
        for content in (b"old", b"new"):
            (tmp_path / "model.pt").write_bytes(content)
            run.log_artifact(tmp_path / "model.pt", kind="model")
        (tmp_path / "folder" / "deep").mkdir(parents=True)
        (tmp_path / "folder" / "deep" / "x").write_bytes(b"x")
        run.log_artifact(tmp_path / "folder")
    target = tmp_path / "restored"
    done = runlore("restore", "a", "--all", "--to", str(target))
    assert done.exit_code == 0, done.output
    assert (target / "model.pt").read_bytes() == b"new"
    assert (target / "folder" / "deep" / "x").read_bytes() == b"x"
    assert json.loads((target / "run.json").read_text())["params"] == {"lr": 0.5}
    assert runlore("restore", "a", "--all", "--to", str(target)).exit_code == 0, "again, over the same content"
    (target / "model.pt").write_bytes(b"mine")
    done = runlore("restore", "a", "--all", "--to", str(target))
    assert (done.exit_code, "--force replaces it" in done.output) == (2, True)
    assert (target / "model.pt").read_bytes() == b"mine"
    assert runlore("restore", "a", "--all", "-a", "x", "--to", str(target)).exit_code == 2


def test_what_of_a_whole_run_is_gone_is_told(store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        (tmp_path / "model.pt").write_bytes(b"x")
        run.log_artifact(tmp_path / "model.pt", kind="model")
    for path in (store.root / "blobs").rglob("*"):
        if path.is_file():
            path.unlink()
    done = runlore("restore", "a", "--all", "--to", str(tmp_path / "out"))
    assert done.exit_code == 0
    assert "model.pt" in done.stderr
    assert (tmp_path / "out" / "run.json").is_file()


@pytest.mark.parametrize(
    "path", ["../x", "/etc/x", "a/../../x", "C:\\x", "a\\..\\x", "\\\\host\\share", "C:x", "nul\0l"]
)
def test_no_recorded_path_leads_outside_when_a_whole_run_is_restored(path: str, store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "x").write_bytes(b"x")
        run.log_artifact(tmp_path / "folder")
        (artifact,) = [item for item in store.run(run).artifacts if item.name == "folder"]
        event = {"type": "artifact", "name": "evil", "kind": "file", "path": None, "size": 1, "stored": True}
        run.run_log.event({**event, "sha256": artifact.sha256, "files": [[path, 1, artifact.members[0].sha256]]})
    before = sorted(tmp_path.rglob("*"))
    done = runlore("restore", "a", "--all", "--to", str(tmp_path / "out"))
    assert done.exit_code == 1
    assert "outside" in done.output
    assert [found for found in sorted(tmp_path.rglob("*")) if found not in before and "out" not in found.parts] == []


def test_files_of_the_same_name_get_folders_of_their_own(store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        for fold in ("one", "two"):
            (tmp_path / fold).mkdir()
            (tmp_path / fold / "model.pt").write_text(fold)
            run.log_artifact(tmp_path / fold / "model.pt", kind="model", name=f"{fold}/model.pt")
        (tmp_path / "run.json").write_text("mine")
        run.log_artifact(tmp_path / "run.json")
    done = runlore("restore", "a", "--all", "--to", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "model-one_model.pt" / "model.pt").read_text() == "one"
    assert (tmp_path / "out" / "model-two_model.pt" / "model.pt").read_text() == "two"
    assert (tmp_path / "out" / "file-run.json" / "run.json").read_text() == "mine"


def test_a_bad_name_keeps_no_other_file_from_being_written(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    with store.start_run("a") as run:
        for name in ("good", "C:evil", "a\\..\\..\\x"):
            (source / name).write_bytes(name.encode())
            run.log_artifact(source / name)
        run.log_artifact(source / "sub" / "..", name="climbing")
    out = tmp_path / "in" / "out"
    done = runlore("restore", "a", "--all", "--to", str(out))
    assert done.exit_code == 1
    assert sorted(path.name for path in out.iterdir() if path.name != "source") == ["good", "run.json"]
    assert done.stderr.count("would lead outside") == 3
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["out"]
    shutil.rmtree(out)
    again = runlore("restore", "a", "--all", "--to", str(out), "--json")
    assert (again.exit_code, len(json.loads(again.stdout)["lacking"])) == (1, 3)


def test_the_record_is_not_written_through_a_link_or_over_other_bytes(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    victim = tmp_path / "victim"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").symlink_to(victim)
    done = runlore("restore", "a", "--all", "--to", str(tmp_path / "out"), "--force")
    assert (done.exit_code, victim.exists()) == (1, False)
    (tmp_path / "out" / "run.json").unlink()
    (tmp_path / "out" / "run.json").write_bytes(b"\xff\xfe")
    assert runlore("restore", "a", "--all", "--to", str(tmp_path / "out")).exit_code == 2
