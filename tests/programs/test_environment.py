"""`runlore env`: a shell in which plain `python train.py` records."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store

TRAIN = """
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
DummyClassifier().fit(*load_iris(return_X_y=True))
print("trained")
"""
ON = f'eval "$({sys.executable} -m runlore env)"'
OFF = f'eval "$({sys.executable} -m runlore env --off)"'
LOOK = f"{sys.executable} -c \"import os, sys; print(os.environ.get('PYTHONPATH'), 'inside' in str(sys.path))\""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def shell(work: Path, *lines: str, **variables: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | variables
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(lines)], cwd=work, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_plain_python_records_in_such_a_shell(store: Store, work: Path) -> None:
    train = f"{sys.executable} train.py"
    assert shell(work, train, ON, ON, train, OFF, train) == "trained\n" * 3
    (found,) = store.runs()
    assert (found.tags["estimator"], found.command["argv"], found.parent) == ("DummyClassifier", ["train.py"], None)


def test_the_shell_is_restored(work: Path) -> None:
    assert shell(work, ON, OFF, LOOK) == "None False\n"
    assert shell(work, ON, ON, OFF, LOOK, PYTHONPATH="/own place:/other") == "/own place:/other False\n"


@pytest.mark.parametrize("setting", ["false", '"keras"'])
def test_a_project_may_ask_for_less(store: Store, work: Path, setting: str) -> None:
    (work / "pyproject.toml").write_text(f"[tool.runlore]\nautolog = {setting}\n")
    shell(work, ON, f"{sys.executable} train.py")
    assert not store.runs()


@pytest.mark.stress
def test_runlore_run_reads_what_the_project_asks_for(store: Store, work: Path) -> None:
    (work / "pyproject.toml").write_text('[tool.runlore]\nautolog = "keras"\n')
    shell(work, f"{sys.executable} -m runlore run train.py")
    (found,) = store.runs()
    assert "estimator" not in found.tags


@pytest.mark.stress
def test_a_program_in_such_a_shell_is_one_run(store: Store, work: Path) -> None:
    shell(work, ON, f"{sys.executable} -m runlore run train.py")
    (found,) = store.runs()
    assert (found.tags["estimator"], found.artifact("output.log").read_bytes()) == ("DummyClassifier", b"trained\n")
