"""What is captured of Python, the system, the packages and the repository."""

import sys
from pathlib import Path

import numpy as np
import pluggy

from runlore import Store
from runlore.plugins.environment import git_state, installed_packages
from runlore.plugins.git import Git
from tests.git import git


def test_python_os_hardware_and_packages_are_recorded(store: Store) -> None:
    with store.start_run("here"):
        pass
    found = store.run("here").environment
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["pluggy"] == pluggy.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["hardware"]["cpus"] > 0
    assert store.run("here").command["cwd"] == str(Path.cwd())
    assert len(store.runs(f"env.packages.pluggy == '{pluggy.__version__}'")) == 1


def test_the_environment_is_kept_once_per_content(store: Store) -> None:
    for _ in range(5):
        store.start_run().finish()
    blobs = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    assert len({run.environment["packages"]["pluggy"] for run in store.runs()}) == 1
    assert len(blobs) == len({path.name for path in blobs}) <= 2


def test_the_state_of_a_git_repository_is_recorded(tmp_path: Path) -> None:
    assert git_state(Git(tmp_path, 5)) is None
    git(tmp_path, "init")
    empty = git_state(Git(tmp_path, 5))
    assert empty is not None
    assert empty["commit"] is None
    (tmp_path / "train.py").write_text("print(1)\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = git_state(Git(tmp_path, 5))
    assert clean is not None
    assert (clean["commit"], clean["dirty"]) == (git(tmp_path, "rev-parse", "HEAD").strip(), False)
    (tmp_path / "train.py").write_text("print(2)\n")
    (tmp_path / "new.py").touch()
    dirty = git_state(Git(tmp_path, 5))
    assert dirty is not None
    assert (dirty["dirty"], dirty["changed_files"], dirty["untracked_files"]) == (True, 1, 1)
    assert dirty["branch"] == "main"


def test_packages_are_read_from_the_names_of_their_folders(tmp_path: Path) -> None:
    for name in ("Foo_Bar-1.2.dist-info", "baz-0.1-py3.egg-info", "other"):
        (tmp_path / name).mkdir()
    assert installed_packages([str(tmp_path), str(tmp_path / "none")]) == {"baz": "0.1", "foo-bar": "1.2"}
