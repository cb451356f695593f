"""A project in a repository, and environments with few packages."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from uv import find_uv_bin

import runlore as ours
from tests.git import git
from tests.reproduction.projects import TRAIN


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a script, an uncommitted change, an untracked module, and data that git ignores."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    folder = tmp_path / "project"
    (folder / "data").mkdir(parents=True)
    git(folder, "init")
    (folder / "train.py").write_text(TRAIN)
    (folder / "helper.py").write_text("def scale(x):\n    return x\n")
    (folder / "data" / "x.csv").write_text("1\n2\n3\n")
    (folder / ".gitignore").write_text("data\nhere\n*.npy\n__pycache__\n")
    (folder / "here").touch()
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    (folder / "helper.py").write_text("from more import two\n\n\ndef scale(x):\n    return two() * x\n")
    (folder / "more.py").write_text("def two():\n    return 2\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def wheels(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheels that `make install` has downloaded; uv looks nowhere else."""
    folder = Path(sys.prefix) / "wheels"
    if not folder.is_dir():
        assert "CI" not in os.environ
        pytest.skip("make install puts the wheels by that this needs")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_OFFLINE", "1")
    return folder


@pytest.fixture
def small(wheels: Path, tmp_path: Path) -> Path:
    """The Python of an environment that has little more than runlore."""
    folder = tmp_path / "small"
    uv = find_uv_bin()
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(folder)], check=True)
    names = ["numpy", "click", "pluggy", "rich"]
    subprocess.run([uv, "pip", "install", "-q", "--python", str(folder), *names], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (facts,) = (path for path in Path(sys.prefix).glob("lib/python*/site-packages/runlore-*.dist-info"))
    shutil.copytree(facts, site / facts.name)
    root = Path(ours.__file__).parents[2]
    (site / "runlore.pth").write_text(f"{root / 'core'}\n{root / 'integrations'}\n")
    return folder / "bin" / "python"
