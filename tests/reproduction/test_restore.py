"""Code without git, files that nobody recorded, and the data of a run."""

import shutil
import sys
from pathlib import Path

import pytest

from runlore import Store
from tests.commands import document
from tests.git import git
from tests.reproduction.projects import TRAIN, problems, reproduce, train


def test_without_git_the_modules_that_were_kept_are_the_code(store: Store, project: Path) -> None:
    shutil.rmtree(project / ".git")
    train(project)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "3 recorded files" in result.stdout
    assert "bit-identical" in result.stdout
    assert "not recorded, so not there: here (--with" in result.stdout  # neither the data nor what the run wrote


def test_a_clone_serves_where_the_repository_has_moved(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(project)
    moved = project.rename(project.parent / "moved")
    monkeypatch.chdir(project.parent)
    assert "is not here" in problems()["code"]
    monkeypatch.chdir(moved)
    shutil.copytree(moved / "data", project / "data")  # only the data is where it was
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.stdout


def test_code_that_could_not_be_kept_is_told(store: Store, project: Path) -> None:
    (project / "more.py").write_text("def two():\n    return 2\n\n\npassword = 'hunter2hunter2'\n")
    train(project)
    told = problems()["code"]
    assert "more.py" in told
    assert "hunter2" not in told


# The data


def test_data_that_is_recorded_by_its_path_can_be_a_link(store: Store, project: Path, tmp_path: Path) -> None:
    train(project)
    before = (project / "data" / "x.csv").read_bytes()
    result = reproduce("--link", "data/x.csv", "--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again" / "code" / "data" / "x.csv").is_symlink()
    assert (project / "data" / "x.csv").read_bytes() == before


def test_data_that_has_changed_or_moved_needs_force(store: Store, project: Path) -> None:
    train(project)
    table = project / "data" / "x.csv"
    table.write_text("1\n2\n4\n")
    told = problems()["data"]
    assert "'data/x.csv' has changed" in told
    assert reproduce().exit_code == 1
    forced = reproduce("--force")
    assert forced.exit_code == 3
    assert "data 'x' is not the same" in forced.stdout
    assert "x.fingerprint" in forced.stdout
    table.rename(project / "elsewhere.csv")
    assert "is gone, or has moved" in problems()["data"]


def test_data_that_was_kept_comes_from_the_store(store: Store, project: Path) -> None:
    train(project)
    run = store.run("first").attach()
    run.log_artifact(project / "data" / "x.csv")
    run.finish()
    (project / "data" / "x.csv").write_text("1\n2\n4\n")
    result = reproduce("--force")
    assert "restored from the store" in result.stdout
    assert "data that can't" not in result.stdout


def test_files_that_nobody_recorded_come_along_by_name(store: Store, project: Path, tmp_path: Path) -> None:
    (project / "train.py").write_text(TRAIN.replace("seed =", "assert Path('data/extra/y').exists()\nseed ="))
    (project / "data" / "extra").mkdir()
    (project / "data" / "extra" / "y").touch()
    train(project)
    result = reproduce()
    assert result.exit_code == 1
    assert "the command ended with exit status 1" in result.stderr
    assert "recorded no run that stands for 'first'" in result.stderr
    assert reproduce("--with", "data/extra").exit_code == 0
    result = reproduce("--link", "data/extra", "--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "again" / "code" / "data" / "extra").is_symlink()
    assert reproduce("--with", str(Path(sys.executable))).exit_code == 1


def test_what_cannot_be_brought_is_refused(store: Store, project: Path, tmp_path: Path) -> None:
    """Once, --with replaced files of the code, and --link or a dangling link ended in a traceback."""
    train(project)
    git(project, "add", "-f", "data")
    (tmp_path / "wanted.csv").write_text((project / "data" / "x.csv").read_text())
    for arguments, message in (
        (["--link", "helper.py"], "something is there that would be lost"),
        (["--with", str(tmp_path / "wanted.csv")], "PLACE="),
        (["--with", "nothing"], "there is no 'nothing'"),
    ):
        result = reproduce(*arguments)
        assert (result.exit_code, message in result.stderr) == (1, True), result.stderr
    (project / "data" / "x.csv").unlink()
    (project / "data" / "dangling").symlink_to("nowhere")
    assert "data/x.csv=PATH brings it" in reproduce().stdout
    result = reproduce("--with", f"data/x.csv={tmp_path / 'wanted.csv'}", "--with", "data")
    assert result.exit_code == 0, result.output


def test_nothing_is_written_through_a_link_to_the_users_data(store: Store, project: Path) -> None:
    """Once, data from the store was written through a link of --link into the user's own file."""
    train(project)
    run = store.run("first").attach()
    run.log_artifact(project / "data" / "x.csv")
    run.finish()
    (project / "data" / "x.csv").write_text("4\n5\n6\n")
    for arguments in (["--dry-run"], ["--force"]):
        reproduce("--link", "data", *arguments)
        assert (project / "data" / "x.csv").read_text() == "4\n5\n6\n"


def test_data_cannot_be_put_into_gits_own_folder(store: Store, project: Path) -> None:
    """Once, a record could put a stored file into .git, and its hash could be the path of any file."""
    train(project)
    run = store.run("first").attach()
    (project / "cfg").write_text("[core]\n\tfsmonitor = touch hacked\n")
    run.log_artifact(project / "cfg")
    sha256 = next(item.sha256 for item in store.run(run).artifacts if item.name == "cfg")
    run.log_data("evil", None, path=".git/config", fingerprint=sha256)
    run.log_data("odd", None, path="odd", fingerprint="/etc/hostname")
    run.finish()
    found = document("reproduce", "first", "--here", "--dry-run", "--json")
    assert {item["name"]: item["state"] for item in found["data"]}["evil"] == "has changed"
    assert "odd" not in {item["name"] for item in found["data"] if item["path"]}


def test_all_files_of_other_runs_are_looked_at_and_those_beyond_the_limit_are_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ensemble of sixty trainings, whose checkpoints one run has read."""
    with store.start_run("first") as ensemble:
        for number in range(60):
            weights = tmp_path / f"weights-{number}"
            weights.write_text(str(number))
            with store.start_run(f"member-{number}") as member:
                member.log_artifact(weights)
            ensemble.link("evaluates", member.id, sha256=store.run(member.id).artifacts[0].sha256)
    found = document("reproduce", "first", "--here", "--dry-run", "--json")
    assert [item["state"] for item in found["data"]] == ["is the same"] * 60
    assert "data" not in problems()
    monkeypatch.setattr("runlore.reproduction.restore.MAX_LINKS", 50)
    assert problems()["data"].startswith("10 of the files of other runs that it read are not looked at")
