"""`runlore restore --all`: a whole run with its record, and nothing outside the folder."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from tests.commands import runlore
from tests.forged import ForgedStore


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


def test_names_of_any_length_make_folders(store: Store, tmp_path: Path) -> None:
    """One that was longer than the name of a file may be once kept everything from being restored."""
    with store.start_run("a") as run:
        for number, name in enumerate(("n" * 300, "n" * 299 + "m", "长" * 200, "short")):
            path = tmp_path / str(number) / "config.json"
            path.parent.mkdir()
            path.write_text(str(number))
            run.log_artifact(path, name=name)
    done = runlore("restore", "a", "--all", "--to", str(tmp_path / "out"))
    assert (done.exit_code, done.stderr) == (0, "")
    written = sorted((tmp_path / "out").glob("*/config.json"))
    assert sorted(path.read_text() for path in written) == ["0", "1", "2", "3"]
    assert max(len(path.parent.name.encode()) for path in written) < 140


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


GITS = [
    ".git", ".GIT", ".Git ", ".git.", ".git . .", ".git::$INDEX_ALLOCATION", "git~1", "GIT~12", ".g\u200cit",
    "\ufeff.git",
]  # fmt: skip
SETTINGS = b"[core]\n\trepositoryformatversion = 0\n\tfsmonitor = touch RAN; false\n"
OTHERS = [".gitattributes", ".gitmodules", ".gitignore", ".github/x", "head/x", "git/config", "a~1", "x.git/config"]


def forged(root: Path, files: dict[str, bytes], name: str = "theirs") -> str:
    """Return the place of a store with a run that has a folder of files."""
    store = ForgedStore(root)
    members = [[path, len(content), store.blob(content)] for path, content in files.items()]
    artifact = {
        "type": "artifact", "name": name, "kind": "file", "path": None, "size": 1, "sha256": "0" * 64, "stored": True,
        "files": members, "step": None, "epoch": None, "roles": [],
    }  # fmt: skip
    store.run([artifact], name="victim")
    return str(root)


@pytest.mark.parametrize("part", GITS)
def test_nothing_is_restored_into_gits_own_folder(tmp_path: Path, part: str) -> None:
    """Its settings name programs that `git status` runs, and so does the prompt of many a shell."""
    inside = {
        f"{part}/config": SETTINGS,
        f"deep/{part}/config": SETTINGS,
        f"deep\\{part}\\config": SETTINGS,
        part: b"x",
    }
    place = forged(tmp_path / "store", {**inside, "good.txt": b"good"})
    done = runlore("restore", "victim", "--all", "--to", str(tmp_path / "out"), "--store", place)
    assert done.exit_code == 1
    assert "lies in git's own folder: not restored" in done.stderr
    restored = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert sorted(path.name for path in restored) == ["good.txt", "run.json"]


def test_an_artifact_that_is_gits_own_folder_is_refused_by_name(tmp_path: Path) -> None:
    place = forged(tmp_path / "store", {"config": SETTINGS, "HEAD": b"ref: refs/heads/main\n"}, name=".git")
    done = runlore("restore", "victim", "--all", "--to", str(tmp_path / "out"), "--store", place)
    assert (done.exit_code, "'.git' lies in git's own folder" in done.stderr) == (1, True)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run.json"]


@pytest.mark.parametrize("head", [b"ref: refs/heads/main\n", b"ref:\trefs/x", b"a" * 40])
def test_a_folder_becomes_no_bare_repository(tmp_path: Path, head: bytes) -> None:
    """Git takes any folder with HEAD, objects and refs for one, and follows its settings."""
    files = {"config": SETTINGS, "HEAD": head, "objects/info/x": b"", "refs/heads/x": b"", "RUN": b"r"}
    place = forged(tmp_path / "store", files)
    whole = ["restore", "victim", "--all", "--to", str(tmp_path / "out"), "--store", place]
    done = runlore(*whole)
    assert (done.exit_code, "'HEAD' would make a repository of its folder" in done.stderr) == (1, True)
    assert (tmp_path / "out" / "theirs" / "RUN").exists()
    subprocess.run(["git", "status"], cwd=tmp_path / "out" / "theirs", check=False, capture_output=True)
    assert not (tmp_path / "out" / "theirs" / "RAN").exists()
    assert not (tmp_path / "out" / "theirs" / "HEAD").exists()


def test_files_with_names_near_to_gits_are_restored(tmp_path: Path) -> None:
    """Attributes and modules name what only settings define: by themselves they run nothing."""
    place = forged(tmp_path / "store", {**dict.fromkeys(OTHERS, b"x"), "HEAD": b"of a net\n"})
    done = runlore("restore", "victim", "--all", "--to", str(tmp_path / "out"), "--store", place)
    assert done.exit_code == 0, done.output
    assert all((tmp_path / "out" / "theirs" / name).exists() for name in (*OTHERS, "HEAD"))


def test_what_shells_read_at_home_is_not_restored_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "inner").mkdir(parents=True)
    place = forged(tmp_path / "store", {"authorized_keys": b"x"}, name=".ssh")
    for to in ("home", "home/.", "home/inner/.."):
        done = runlore("restore", "victim", "--all", "--to", str(tmp_path / to), "--store", place)
        assert (done.exit_code, "is hidden in your home folder" in done.stderr) == (1, True)
    assert not (tmp_path / "home" / ".ssh").exists()
    above = forged(tmp_path / "other", {".profile": b"x"}, name="home")
    done = runlore("restore", "victim", "-a", "home", "--force", "--to", str(tmp_path), "--store", above)
    assert (done.exit_code, "is hidden in your home folder" in done.stderr) == (1, True)
    assert not (tmp_path / "home" / ".profile").exists()
    assert runlore("restore", "victim", "--all", "--to", str(tmp_path / "home/inner"), "--store", place).exit_code == 0


def test_a_name_that_a_disk_cannot_have_costs_no_other_file(tmp_path: Path) -> None:
    store = ForgedStore(tmp_path / "store")
    common = {"type": "artifact", "kind": "file", "size": 1, "stored": True, "step": None, "epoch": None, "roles": []}
    blob = store.blob(b"x")
    names = ["x" * 300, "ä" * 130, "good.txt"]
    events: list[dict[str, object]] = [{**common, "name": name, "path": f"/x/{name}", "sha256": blob} for name in names]
    members = [["a/b", 1, blob], ["a", 1, blob], ["y" * 256, 1, blob], ["deep/" * 900 + "z", 1, blob], ["c", 1, blob]]
    events.append({**common, "name": "folder", "path": "/x/folder", "sha256": "0" * 64, "files": members})
    store.run(events, name="victim")
    done = runlore("restore", "victim", "--all", "--to", str(tmp_path / "out"), "--store", str(tmp_path / "store"))
    assert done.exit_code == 1
    assert (tmp_path / "out" / "good.txt").exists()
    assert all((tmp_path / "out" / "folder" / name).exists() for name in ("a/b", "c"))
    for name in ("x" * 300, "ä" * 130, "y" * 256):
        assert f"'{name}' has a name over 255 bytes" in done.stderr
    assert "'a' can't be written here" in done.stderr


def test_of_a_search_the_only_model_is_restored(store: Store, tmp_path: Path) -> None:
    """Beside a table, it was no checkpoint; that of the only child that has one had to be asked for by its id."""

    def keep(run: Any, *names: str) -> None:
        for name in names:
            (tmp_path / name).write_text(name)
            run.log_artifact(tmp_path / name, kind="model" if name.endswith("pt") else "table")

    with store.start_run("search") as search:
        keep(search, "scores.csv", "times.csv")
        for number in range(3):
            with store.start_run(f"trial-{number}", parent=search.id) as trial:
                keep(trial, *(["model.pt", "curve.csv"] if number == 1 else []))
    done = runlore("restore", "search", "--to", str(tmp_path / "out"), "--json")
    told = json.loads(done.output)
    assert (told["run"], told["name"]) == (store.run("trial-1").id, "model.pt")
    with store.start_run("trial-3", parent=store.run("search").id) as trial:
        keep(trial, "other.pt")
    done = runlore("restore", "search", "--to", str(tmp_path / "out"))
    assert (done.exit_code, "has no checkpoint; a child of it has" in done.stderr) == (2, True)
