"""A Python that has no runlore borrows that of `runlore run`: with a virtual environment that holds nothing of it."""

import os
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

from runlore import Store

SETTINGS = """
import argparse, sys, helper
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
print(parser.parse_args(), sys.prefix, [place for place in sys.path if "inside" in place])
for name in ("click", "rich"):
    try:
        __import__(name)
        print("there is", name)
    except ImportError as error:
        print(error)
"""
FIT = """
from sklearn.dummy import DummyClassifier
print(DummyClassifier().fit([[0], [1]], [0, 1]).score([[0]], [0]))
"""
NEEDED = ("sklearn", "numpy", "scipy", "joblib", "threadpoolctl", "narwhals", "cloudpickle")


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """The Python of an environment of its own."""
    venv.create(tmp_path / "venv", symlinks=True, with_pip=False)
    return tmp_path / "venv" / "bin" / "python"


def both(work: Path, *words: object) -> "list[subprocess.CompletedProcess[str]]":
    """A program without and with us."""
    starts = [[], [sys.executable, "-m", "runlore", "run"]]
    environment = {**os.environ, "RUNLORE_QUIET": "1"}
    return [
        subprocess.run(
            [*start, *map(str, words)], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        for start in starts
    ]


def test_a_python_without_runlore_tells_of_itself(store: Store, tmp_path: Path, foreign: Path) -> None:
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "helper.py").write_text("")
    bare, recorded = both(tmp_path, "sh", "-c", f"{foreign} settings.py --lr 0.5")
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)
    assert "No module named 'click'" in bare.stdout
    (found,) = store.runs()
    assert found.params["lr"] == 0.5
    assert found.environment["python"]["prefix"] == str(foreign.parents[1])
    assert found.environment["packages"] == {}
    assert {member.path for member in found.artifact("source").members} == {"settings.py", "helper.py"}


def test_what_an_environment_imports_as_it_starts_is_heard(store: Store, tmp_path: Path, foreign: Path) -> None:
    """By a `.pth` file of its own, before anything of ours."""
    (packages,) = (foreign.parents[1] / "lib").glob("python*/site-packages")
    (packages / "early.pth").write_text("import argparse, random\n")
    (tmp_path / "settings.py").write_text("import random; random.seed(5)\n" + SETTINGS)
    (tmp_path / "helper.py").write_text("")
    both(tmp_path, foreign, "settings.py", "--lr", "0.5")
    (found,) = store.runs()
    assert found.params["lr"] == 0.5
    assert found.environment["seeds"]["python_seed"] == 5


@pytest.mark.stress
def test_what_a_python_without_runlore_trains_is_recorded(store: Store, tmp_path: Path, foreign: Path) -> None:
    (packages,) = (foreign.parents[1] / "lib").glob("python*/site-packages")
    for name in NEEDED:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        place = Path(spec.origin)
        place = place.parent if place.name == "__init__.py" else place
        (packages / place.name).symlink_to(place)
        if (place.parent / f"{name}.libs").is_dir():
            (packages / f"{name}.libs").symlink_to(place.parent / f"{name}.libs")
    (tmp_path / "fit.py").write_text(FIT)
    bare, recorded = both(tmp_path, foreign, "fit.py")
    assert bare.returncode == 0, bare.stderr
    assert (recorded.stdout, recorded.stderr) == (bare.stdout, bare.stderr)
    (found,) = store.runs()
    assert found.tags["estimator"] == "DummyClassifier"


@pytest.mark.stress
def test_uv_run_stands_in_front(store: Store, tmp_path: Path, foreign: Path) -> None:
    """Its Python has no runlore; code, params and environment are that one's."""
    uv = Path(sys.executable).parent / "uv"
    if not uv.exists():
        pytest.skip("uv is not installed")
    (tmp_path / "settings.py").write_text(SETTINGS)
    (tmp_path / "helper.py").write_text("")
    words = [uv, "run", "--offline", "--no-project", "--no-cache", "--python", foreign, "settings.py", "--lr", "0.5"]
    bare, recorded = both(tmp_path, *words)
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)
    (found,) = store.runs()
    assert found.params == {"lr": 0.5}
    assert found.environment["python"]["prefix"] == str(foreign.parents[1])
    code = {member.path for item in found.artifacts for member in item.members}
    assert code >= {"settings.py", "helper.py"}
