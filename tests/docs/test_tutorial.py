"""The tutorial, typed as it stands: its files, its commands, and what they print."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from runlore import Store
from tests.docs.test_docs import ROOT

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


def test_every_command_runs_and_prints_what_the_page_says(store: Store, tmp_path: Path) -> None:
    programs = str(Path(sys.executable).parent)
    who = {f"GIT_{role}_{what}": "me@example.org" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {
        **os.environ, **who, "PATH": f"{programs}:{os.environ['PATH']}", "COLUMNS": "110", "TMPDIR": str(tmp_path),
    }  # fmt: skip
    folder = tmp_path / "digits"
    folder.mkdir()
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
    assert count > 20
    assert {run.name for run in store.runs()} >= {"monday", "monday-again", "slow-1"}
