"""The tutorial, typed as it stands: its files, its commands, and what they print."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.docs.test_docs import ROOT
from tests.warm_program import warm_program

if TYPE_CHECKING:
    from runlore.testing.warm import WarmParents

PAGE = ROOT / "docs" / "tutorial.md"
AGE = {"just", "now", "min", "ago"}  # words of a time that depends on the machine's speed


def blocks() -> Iterator[tuple[str, str, str]]:
    """Language, file name and text of what is fenced."""
    yield from re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", PAGE.read_text(), re.M | re.S)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines that it is said to print."""
    for part in re.split(r"^\$ ", text, flags=re.M)[1:]:
        command, _, printed = part.partition("\n")
        yield command, [line for line in printed.splitlines() if line.strip()]


def words(line: str) -> list[str]:
    """Return the words that are the same on every machine: no numbers, ids, hashes, ages."""
    found = [word.rstrip(",.:") for word in line.split() if len(word) > 1 and not re.search(r"\d|^…", word)]
    return [word for word in found if word not in AGE]


@pytest.mark.stress
def test_every_command_runs_and_prints_what_the_page_says(
    store: Store, tmp_path: Path, runlore_warm_parents: "WarmParents"
) -> None:
    """Of its ten trainings two start cold: those that `runlore reproduce` starts."""
    programs = str(Path(sys.executable).parent)
    who = {f"GIT_{role}_{what}": "me@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    path = f"{tmp_path}:{programs}:{os.environ['PATH']}"
    environment = {**os.environ, **who, "PATH": path, "COLUMNS": "110", "TMPDIR": str(tmp_path)}
    folder = tmp_path / "digits"
    folder.mkdir()
    parent = runlore_warm_parents.parent(["pytorch_lightning"], environment)
    with warm_program(tmp_path, parent) if parent else nullcontext():
        count = type_all(folder, environment)
    assert count > 20
    assert {run.name for run in store.runs()} >= {"monday", "monday-again", "slow-1"}


def type_all(folder: Path, environment: dict[str, str]) -> int:
    """Type each command of the page, and compare what it prints; return how many there are."""
    count = 0
    for kind, name, text in blocks():
        if kind == "python":
            (folder / name).write_text(text)
            continue
        assert kind == "console", f"nobody runs this: {text}"
        for command, expected in commands(text):
            done = subprocess.run(
                ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr[-2000:]}"
            count += 1
            printed = iter(done.stdout.splitlines())
            for line in expected:
                wanted = words(line)
                assert any(set(wanted) <= set(words(found)) for found in printed), f"{command}: {line}\n{done.stdout}"
    return count
