"""Scripts that ask for input at a terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from runlore.reproduction.prompts import find_prompts
from tests.reproduction.projects import problems, reproduce


def test_a_command_that_needs_a_terminal_is_told(store: Store, project: Path) -> None:
    (project / "more.py").write_text("def two():\n    return 2 * int(input() or 1)\n")
    subprocess.run([sys.executable, "train.py", "3"], input=b"\n" * 20, check=True, capture_output=True)
    assert problems()["command"].startswith("it asks at a terminal: more.py:2: input()")
    assert reproduce().exit_code == 1
    forced = reproduce("--force")
    assert forced.exit_code == 3
    assert "EOFError" in forced.stdout


@pytest.mark.parametrize(
    ("source", "asks"),
    [
        ("input()", True),
        ("from getpass import getpass as gp\ngp()", True),
        ("from pdb import set_trace\nset_trace()", True),
        ("import click as c\nc.prompt('x')", True),
        ("import sys\nsys.stdin.readline()", True),
        ("def input(x):\n    return x\ninput(3)", False),
        ("model.input()", False),
        ("x = a" + ".b()" * 3000, False),
    ],
)
def test_what_asks_is_found(tmp_path: Path, source: str, asks: bool) -> None:
    """Once, aliases were missed, the script's own functions were told, and a deep expression raised RecursionError."""
    (tmp_path / "a.py").write_text(source)
    assert bool(list(find_prompts(tmp_path / "a.py", tmp_path))) == asks
