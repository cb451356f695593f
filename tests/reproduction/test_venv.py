"""Environments that uv makes from recorded packages."""

import subprocess
import sys
from pathlib import Path

from runlore import Store
from runlore.reproduction.reproduce import prepare
from tests.commands import runlore
from tests.reproduction.projects import forged


def test_the_environment_is_made_anew(store: Store, project: Path, small: Path) -> None:
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    first = store.run("first")
    result = runlore("reproduce", "first")
    assert result.exit_code == 0, result.output
    assert "made anew by uv" in result.stdout
    assert "bit-identical" in result.stdout
    again = store.runs()[0]
    assert again.environment["packages"] == first.environment["packages"]
    assert again.environment["python"]["prefix"] != first.environment["python"]["prefix"]


def test_packages_that_no_index_has_are_named_and_left_out_by_force(store: Store, project: Path, small: Path) -> None:
    (site,) = small.parents[1].glob("lib/python*/site-packages")
    for name in ("gone_package-1.0", "numpy_helper-0.3"):
        (site / f"{name}.dist-info").mkdir()
    subprocess.run([small, "train.py", "3"], check=True, capture_output=True)
    result = runlore("reproduce", "first")
    assert result.exit_code == 1
    assert "package gone-package 1.0: " in result.stdout
    assert "package numpy-helper 0.3: " in result.stdout
    assert "package numpy 2" not in result.stdout
    forced = runlore("reproduce", "first", "--force")
    assert forced.exit_code == 0, forced.output


def test_names_that_are_no_packages_are_told(store: Store, tmp_path: Path, wheels: Path) -> None:
    """Once, a recorded package name could be an option of uv, and its version a path."""
    version = ".".join(map(str, sys.version_info[:3]))
    run = forged(store, python={"version": version}, packages={"--find-links=x": "1", "click": "/etc"})
    told = [item.what for item in prepare(run, tmp_path / "again").problems if item.part == "environment"]
    assert sum("not a valid name and version" in what for what in told) == 2
