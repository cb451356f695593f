"""Recorded paths lead into the fresh folder, and never out of it."""

import shutil
from pathlib import Path

import pytest

from runlore import Store
from runlore.reproduction.reproduce import prepare
from tests.commands import document
from tests.git import git
from tests.reproduction.projects import SMALL, TRAIN, everything, forged, reproduce, train


def test_a_package_without_git_is_moved_with_its_paths(store: Store, project: Path) -> None:
    """Once, its sources were recorded without the package's name, and paths into its folder stayed as they were."""
    shutil.rmtree(project / ".git")
    package = project / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "helper.py").write_text("def scale(x):\n    return x\n")
    script = TRAIN.replace("from helper", "from package.helper").replace('"w.npy"', "sys.argv[2]")
    (package / "main.py").write_text(script)
    out = project / "w.npy"
    train(project, "3", str(out), script="-m package.main")
    assert {item.path for item in store.run("first").artifact("source").members} == {
        "package/__init__.py", "package/helper.py", "package/main.py"
    }  # fmt: skip
    assert document("diff", "first", str(project), "--json")["changes"] == []
    out.write_bytes(b"mine")
    result = reproduce()
    assert (result.exit_code, out.read_bytes()) == (0, b"mine"), result.output
    (package / "helper.py").write_text("def scale(x):\n    return 2 * x\n")
    (change,) = document("diff", "first", str(project), "--json")["changes"]
    assert (change["key"], "+    return 2 * x" in change["diff"]) == ("package/helper.py", True)


def test_data_outside_of_the_project_by_a_relative_path_is_there(store: Store, project: Path) -> None:
    """Once, such data was left at its old place, where the command does not look for it."""
    (project.parent / "outside").mkdir()
    (project.parent / "outside" / "x.csv").write_text("1\n2\n")
    (project / "train.py").write_text(TRAIN.replace("data/x.csv", "../outside/x.csv"))
    train(project)
    result = reproduce("--with", "here")
    assert (result.exit_code, "bit-identical" in result.stdout) == (0, True), result.output


def test_recorded_folders_cannot_lead_out_of_the_fresh_one(store: Store, tmp_path: Path) -> None:
    """Once, a recorded root with .. in it led to folders outside of the fresh one."""
    outside = tmp_path / "outside"
    run = forged(store, git={"root": f"/c/../..{outside}"})
    before = everything(tmp_path)
    plan = prepare(run, tmp_path / "again", here=True)
    assert plan.cwd.resolve().is_relative_to(tmp_path / "again")
    assert plan.places.code.resolve().is_relative_to(tmp_path / "again")
    assert not outside.exists()
    shutil.rmtree(tmp_path / "again")
    assert everything(tmp_path) == before


def test_a_script_that_was_reached_by_a_link_is_the_recorded_one(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, the present script was executed if the run had been started through a link to its folder."""
    (tmp_path / "link").symlink_to(project)
    train(project, script=str(tmp_path / "link" / "train.py"))
    (project / "train.py").write_text("raise SystemExit('the present code runs')\n")
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "bit-identical" in result.stdout


def test_a_script_that_goes_elsewhere_before_its_run_is_found(store: Store, project: Path) -> None:
    """Once, a script was looked for where os.chdir had led it, and another of its name was executed."""
    (project / "exp").mkdir()
    (project / "exp" / "train.py").write_text("raise SystemExit('the wrong script runs')\n")
    (project / "train.py").write_text("import os, runlore\nos.chdir('exp')\n" + SMALL)
    git(project, "add", ".")
    train(project)
    assert store.run("first").command["began_in"] == str(project)
    result = reproduce()
    assert result.exit_code == 0, result.output
