"""The environment variables and the packages with which a run is repeated."""

import json
import subprocess
from pathlib import Path

import pytest

from runlore import Store
from runlore.reproduction.reproduce import prepare
from runlore.reproduction.venv import full_version
from tests.commands import document
from tests.git import git
from tests.reproduction.projects import TRAIN, forged, reproduce, train


def test_variables_that_change_results_are_as_they_were(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    train(project, PYTHONHASHSEED="7")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    result = reproduce()
    assert "PYTHONHASHSEED=7, without OMP_NUM_THREADS" in result.stdout
    variables = store.runs()[0].environment["variables"]
    assert variables["PYTHONHASHSEED"] == "7"
    assert "OMP_NUM_THREADS" not in variables


def test_with_here_what_differs_is_told(store: Store, project: Path, small: Path) -> None:
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    (site / "once_there-1.0.dist-info").mkdir()
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "once-there 1.0 is not installed here" in result.stdout


def test_a_project_that_was_installed_is_installed_from_its_code(store: Store, project: Path, small: Path) -> None:
    """With --here, too, it is the recorded code that runs, not what is installed now."""
    (project / "pyproject.toml").write_text('[project]\nname = "The_Project"\nversion = "1"\n')
    (project / "src").mkdir()
    (project / "src" / "told.py").write_text("value = 1.0\n")
    (project / "train.py").write_text("import told\n" + TRAIN.replace('"FACTOR", "1"', '"FACTOR", told.value'))
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    (site / "the_project-1.dist-info").mkdir()
    (site / "the_project.pth").write_text(f"{project / 'src'}\n")
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    (project / "src" / "told.py").write_text("value = 2.0\n")
    result = subprocess.run(
        [small, "-m", "runlore", "reproduce", "first", "--here"], check=False, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "bit-identical" in result.stdout


def test_packages_from_a_folder_are_not_taken_from_an_index(
    store: Store, project: Path, small: Path, tmp_path: Path
) -> None:
    """Once, a package from a folder was taken from the index, where its name may be another's."""
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    for name, place in (("mine", tmp_path / "lib"), ("ours", project / "lib")):
        (site / f"{name}-1.0.dist-info").mkdir()
        told = {"url": place.as_uri(), "dir_info": {"editable": True}}
        (site / f"{name}-1.0.dist-info" / "direct_url.json").write_text(json.dumps(told))
    (project / "lib").mkdir()
    (project / "lib" / "pyproject.toml").write_text('[project]\nname = "ours"\nversion = "1.0"\n')
    git(project, "add", ".")
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    found = document("reproduce", "first", "--dry-run", "--json")["problems"]
    assert [item["what"] for item in found] == [
        f"package mine 1.0 was installed from {tmp_path / 'lib'}, not from an index"
    ]


def test_what_nobody_trusts_is_not_looked_for(store: Store, project: Path, tmp_path: Path) -> None:
    """Once, a dry run looked for them: a package may be built for it, and a Python version may be a program's path."""
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {tmp_path}/hacked\n")
    evil.chmod(0o755)
    packages = {str(tmp_path / "package"): "1", "--find-links=x": "1", "numpy": "2.0; touch hacked"}
    run = forged(store, python={"version": str(evil)}, packages=packages)
    plan = prepare(run, tmp_path / "again")
    assert plan.fresh is None
    assert not (tmp_path / "hacked").exists()
    plan = prepare(forged(store, python={"version": "3.11"}, packages=packages), tmp_path / "other", look=False)
    assert not list((tmp_path / "other").glob("venv"))
    assert full_version("3.13.0+") == "3.13.0"
    assert full_version(str(evil)) is None
