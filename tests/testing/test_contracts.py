"""The contract of integrations passes a sound one, fails each that is broken, and says why."""

import re
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from tests.testing.mutants import BROKEN, NOTHING, Mutant

HERE = Path(__file__).parent
SOUND = Mutant("sound", "", "", "")
CAN_PASS = {"test_its_plugin_imports_no_framework"}  # where nothing is recorded


def made(mutant: Mutant, folder: Path) -> Path:
    """Write an integration as an installed package has it."""
    package = folder / "mini"
    shutil.copytree(HERE / "mini", package, ignore=shutil.ignore_patterns("__pycache__"))
    file = package / mutant.file
    source = file.read_text()
    assert mutant.right in source, mutant.name
    file.write_text(source.replace(mutant.right, mutant.wrong) + mutant.more)
    (package / "contract.py").rename(package / "test_contract.py")
    points = folder / "mini-1.0.dist-info" / "entry_points.txt"
    points.parent.mkdir()
    points.write_text("[runlore]\nmini = mini.plugin\n")
    (folder / "conftest.py").write_text('pytest_plugins = ["runlore.testing"]\n')
    return folder


def tried(mutants: Iterable[Mutant], folder: Path) -> Mapping[str, str]:
    """Return what pytest says of each integration."""
    import subprocess

    folders = {item.name: made(item, folder / str(place)) for place, item in enumerate(mutants)}
    asked = [text for item in mutants for text in (str(folders[item.name]), item.statement)]
    subprocess.run([sys.executable, HERE / "trial.py", *asked], check=True)
    return {name: (place / "output.txt").read_text() for name, place in folders.items()}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return tried([SOUND, NOTHING, *BROKEN], tmp_path_factory.mktemp("mutants"))


def named(outcome: str, output: str) -> set[str]:
    return set(re.findall(rf"^(?:{outcome}) .*::(test_\w+)", output, re.M))


def test_a_sound_one_passes(outcomes: Mapping[str, str]) -> None:
    output = outcomes["sound"]
    assert named("FAILED|ERROR", output) == set(), output
    assert "SKIPPED" not in output
    assert len(named("PASSED", output)) > 40


@pytest.mark.parametrize("mutant", BROKEN, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_broken_one_fails_and_is_told_why(outcomes: Mapping[str, str], mutant: Mutant) -> None:
    output = outcomes[mutant.name]
    failed = named("FAILED|ERROR", output)
    assert failed, f"{mutant.statement} lets it pass: {output}"
    assert all(name.startswith(mutant.statement) for name in failed)
    assert mutant.says in output


def test_one_that_records_nothing_passes_nothing(outcomes: Mapping[str, str]) -> None:
    assert named("PASSED", outcomes["records nothing"]) <= CAN_PASS
