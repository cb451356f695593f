"""Words that shells complete: none does anything when the line is run."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.commands import command
from tests.forged import ForgedStore

HOSTILE = [
    "train-1;touch${IFS}owned;", "train $(touch owned)", "train`touch owned`", "tr*", "tr?", "tr[a]", "tr{a,b}", "tr~",
    "train'x;touch owned;'", 'train"x', "tr\\x", "tr!!", "tr|touch owned", "tr<x", "tr>owned", "tr&", "tr#x", "tr(x)",
    "tr x", "tr$HOME", "~root", "--help", "-n", "tr\ntouch owned", "tr\x1b[2J", "tr\u202ex", "tr\rx", "tr\tx",
    "tr\u3164x",
]  # fmt: skip
PLAIN = ["train-ok", "trä-2", "tr_3.1", "tr=0.1,b@c/d:e+%"]
# Asks bash's own function, and lets bash read each of the words that it would put into the line.
ASK = """
source <(runlore completion bash)
for typed in "" tr train- '~' "$'"; do
    COMP_WORDS=(runlore show "$typed"); COMP_CWORD=2; COMPREPLY=()
    _runlore_completion runlore
    for word in "${COMPREPLY[@]}"; do eval "printf '%s\\n' $word"; done
done
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    forged = ForgedStore(tmp_path / "store")
    for name in [*HOSTILE, *PLAIN]:
        forged.run(name=name)
    return tmp_path


def test_bash_is_given_only_words_that_it_takes_as_they_are(place: Path) -> None:
    environment = os.environ | {
        "RUNLORE_STORE": str(place / "store"), "PATH": f"{Path(command()).parent}:{os.environ['PATH']}",
        "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK], env=environment, cwd=place, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    words = set(done.stdout.splitlines())
    assert words.issuperset(PLAIN)
    assert words.isdisjoint(HOSTILE)
    assert {path.name for path in place.iterdir()} == {"store"}, "nothing was run, and nothing written"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_no_shell_is_given_hidden_characters_or_options(place: Path, shell: str) -> None:
    environment = os.environ | {
        "RUNLORE_STORE": str(place / "store"), "_RUNLORE_COMPLETE": f"{shell}_complete", "COMP_WORDS": "runlore show ",
        "COMP_CWORD": "" if shell == "fish" else "2",
    }  # fmt: skip
    printed = subprocess.run([command()], env=environment, capture_output=True, check=True).stdout.decode()
    assert "train-ok" in printed
    assert not any(char in printed for char in "\x1b\u202e\u3164\r")
    words = {line.rpartition(",")[2].partition("\t")[0] for line in printed.splitlines()}
    assert words.isdisjoint(["--help", "-n", "touch owned", "tr"])
    assert ("tr x" in printed) is (shell != "bash"), "the other shells quote what they are given"


def test_a_store_that_can_not_be_read_completes_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "format").write_text("999\n")
    environment = os.environ | {
        "RUNLORE_STORE": str(tmp_path / "store"), "_RUNLORE_COMPLETE": "bash_complete", "COMP_WORDS": "runlore show tr",
        "COMP_CWORD": "2",
    }  # fmt: skip
    done = subprocess.run([command()], env=environment, capture_output=True, check=False)
    assert (done.stdout.strip(), done.stderr) == (b"", b"")
