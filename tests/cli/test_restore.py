"""`runlore restore --all`: a whole run with its record, and nothing outside the folder."""

import json
import shutil
from pathlib import Path

import pytest

from runlore import Store
from tests.commands import runlore


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
