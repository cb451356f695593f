"""Code from submodules and from elsewhere, and typed code, takes part in a repetition."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from runlore.plugins.code import MAX_IMPORTED_BYTES
from tests.commands import document, runlore
from tests.git import git
from tests.reproduction.projects import SMALL, reproduce, train

WITH_MODEL = SMALL.replace("import runlore", "sys.path.insert(0, 'third')\nimport model, runlore").replace(
    "1.0", "model.LOSS"
)


def test_what_ran_of_a_submodule_is_written_into_its_place(store: Store, project: Path, tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    git(library, "init")
    (library / "model.py").write_text("LOSS = 1.0\n")
    git(library, "add", ".")
    git(library, "commit", "-m", "library")
    git(project, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "third")
    (project / "train.py").write_text(WITH_MODEL)
    git(project, "add", ".")
    git(project, "commit", "-m", "submodule")
    (project / "third" / "model.py").write_text("LOSS = 7.0\n")
    train(project)
    git(project / "third", "checkout", "model.py")
    result = reproduce("--to", str(tmp_path / "again"), "--force")
    assert result.exit_code == 0, result.output
    assert "reproduces first: bit-identical" in result.stdout
    assert "only its sources that ran or had changed are recorded" in " ".join(result.stdout.split())
    assert (tmp_path / "again" / "code" / "third" / "model.py").read_text() == "LOSS = 7.0\n"
    again, first = store.runs()
    assert [item for item in document("diff", first.id, again.id, "--json")["changes"] if item["group"] == "code"] == []


@pytest.mark.parametrize("with_git", [False, True])
def test_a_package_from_elsewhere_is_the_recorded_one(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, with_git: bool
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "model.py").write_text("LOSS = 7.0\n")
    (project / "train.py").write_text(WITH_MODEL)
    if not with_git:
        shutil.rmtree(project / ".git")
    monkeypatch.setenv("PYTHONPATH", str(library))
    train(project)
    (library / "model.py").write_text("LOSS = 1.0\n")
    result = reproduce("--to", str(tmp_path / "again"))
    assert result.exit_code == 0, result.output
    assert "reproduces first: bit-identical" in result.stdout
    assert "1 imported file in 'imported'" in result.stdout
    assert (tmp_path / "again" / "imported" / "model.py").read_text() == "LOSS = 7.0\n"
    again, first = store.runs()
    assert [item for item in document("diff", first.id, again.id, "--json")["changes"] if item["group"] == "code"] == []


def test_a_large_package_of_which_only_the_commit_is_known_is_told(
    store: Store, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "model.py").write_text("LOSS = 7.0\n" + "#" * MAX_IMPORTED_BYTES)
    git(library, "init")
    git(library, "add", ".")
    git(library, "commit", "-m", "library")
    (project / "train.py").write_text(WITH_MODEL)
    monkeypatch.setenv("PYTHONPATH", str(library))
    train(project)
    (problem,) = document("reproduce", "first", "--here", "--dry-run", "--json")["problems"]
    commit = git(library, "rev-parse", "HEAD").strip()
    assert f"package 'model.py' was loaded from elsewhere, commit {commit} of {library}" in problem["what"]


def test_the_argument_of_python_is_the_command_again(store: Store, project: Path) -> None:
    subprocess.run([sys.executable, "-c", SMALL.replace("1.0", "len(sys.argv)"), "x", "y"], check=True)
    result = reproduce()
    assert result.exit_code == 0, result.output
    assert "reproduces first: bit-identical" in result.stdout
    assert store.runs()[0].metrics["loss"].last == 3.0


def test_the_cells_of_a_notebook_are_written_and_named(store: Store, project: Path, tmp_path: Path) -> None:
    """They are not run: some show and install things, and they may ask for a kernel."""
    nbclient = pytest.importorskip("nbclient")
    notebooks = pytest.importorskip("nbformat").v4
    notebook = notebooks.new_notebook(cells=[notebooks.new_code_cell(SMALL)])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    (problem,) = document("reproduce", "first", "--here", "--dry-run", "--json")["problems"]
    assert "it was typed, or run in a notebook, and is kept as 'typed/cells.py'" in problem["what"]
    assert runlore("restore", "first", "--artifact", "typed", "--to", str(tmp_path / "out")).exit_code == 0
    assert SMALL.strip() in (tmp_path / "out" / "typed" / "cells.py").read_text()
