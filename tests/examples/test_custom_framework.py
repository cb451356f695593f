"""The framework of one's own: it installs, trains, is found by its entry points, and passes its own tests."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "examples" / "custom_framework"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as pip installs it, in a folder of its own, so that its plugins are found only there."""
    folder = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "--target", folder, EXAMPLE], check=True)
    return folder


def run(installed: Path, *command: Any, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        env={**os.environ, "PYTHONPATH": str(installed)}, cwd=cwd, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.stress
def test_its_own_tests_pass(installed: Path) -> None:
    arguments = ["-m", "pytest", "-q", "--rootdir", EXAMPLE, "-p", "no:cacheprovider", EXAMPLE / "tests"]
    assert " passed" in run(installed, *arguments, cwd=EXAMPLE)


def test_its_script_trains_and_its_plugins_are_found(installed: Path, tmp_path: Path) -> None:
    run(installed, EXAMPLE / "train.py", cwd=tmp_path)
    assert (tmp_path / "store" / "journal.txt").read_text().count(" finished ") == 3
    listed = run(installed, "-m", "runlore", "plugins", cwd=tmp_path)
    assert listed.count("tinynet") >= 3
    assert "failed" not in listed


def test_the_integration_stays_below_ninety_lines() -> None:
    sources = [EXAMPLE / "runlore_tinynet" / name for name in ("plugin.py", "recording.py")]
    assert sum(len(source.read_text().splitlines()) for source in sources) < 90
    for source in sources:
        subprocess.run([sys.executable, "-m", "ruff", "format", "--check", "--line-length", "100", source], check=True)
