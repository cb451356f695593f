"""Nothing that a run recorded, or that was typed, acts on a terminal: no command writes a hidden character of it."""

import ast
import json
import os
import pty
import re
import subprocess
import sys
import threading
import tty
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from runlore import cli as runlore_cli
from runlore import errors as runlore_errors
from runlore._text import is_hidden, visible_text
from runlore.cli import COMMANDS, main
from tests.commands import document, runlore
from tests.forged import ForgedStore, json_frame
from tests.process import Process

EVIL = (
    "e\x1b]0;title\x07\x1b[5;38;5;201mcolour\x1b]8;;http://x.invalid\x1b\\link\r\x08\x7f\x0b\x9b2J\x85\xad"
    "\u202e\u2066\u200b\u2028\ufeff\u3164\U000e0041[red]red[/red][link=http://x.invalid]\t\nSPOOFED"
)
TYPED = EVIL.replace("\n", "")
STYLE = re.compile(r"\x1b\[(?:[0-9;]*)m")  # of rich, on a terminal
FORBIDDEN = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write", "Console", "rich.print"}
HASH = "ab" * 32
SECTION = {"values": {EVIL: EVIL, "number": 1}, "sha256": HASH}
EVENTS: list[dict[str, Any]] = [
    {"type": "params", "values": {EVIL: EVIL, "lr": 0.1}},
    {"type": "summary", "values": {EVIL: 2.0}},
    {"type": "tags", "values": {EVIL: EVIL, "description": EVIL}},
    {"type": "note", "text": EVIL, "time": 1, "user": EVIL},
    {"type": "corrected", "note": 1, "text": EVIL, "user": EVIL},
    {"type": "environment", "sections": {EVIL: SECTION, "git": SECTION, "packages": SECTION}},
    {"type": "data", "name": EVIL, "values": {"kind": EVIL, "dtypes": [EVIL], "classes": EVIL, "fingerprint": EVIL}},
    {
        "type": "artifact", "name": EVIL, "kind": "checkpoint", "path": f"/{EVIL}", "size": 3, "sha256": HASH,
        "stored": False, "step": 1, "epoch": None, "roles": [EVIL, "best"], "monitor": EVIL, "value": 0.5,
    },
    {
        "type": "artifact", "name": EVIL, "kind": EVIL, "path": f"../{EVIL}", "size": 3, "sha256": "cd" * 32,
        "stored": True, "step": None, "epoch": None, "roles": [], "why": EVIL,
    },
    {"type": "missing", "what": EVIL, "why": EVIL},
]  # fmt: skip
OPENING = {
    "experiment": EVIL, "argv": [EVIL, EVIL], "program": [EVIL], "script": EVIL, "cwd": f"/{EVIL}", "host": EVIL,
    "began_in": f"/{EVIL}",
}  # fmt: skip
FAILED = {"status": "failed", "error": {"type": EVIL, "message": EVIL, "traceback": EVIL}}


class Hostile:
    """A store of hostile runs: `first` and its child `second`, which goes on from it, and files beside the store."""

    def __init__(self, folder: Path) -> None:
        forged = ForgedStore(folder / "store")
        points = [json_frame("K", {"id": 1, "keys": [EVIL, "loss"], "split": EVIL})]
        self.first = forged.run(EVENTS, name=EVIL, opening=OPENING, end=FAILED, frames=points)
        link = {"type": "link", "kind": EVIL, "run": self.first, "step": 1, "sha256": HASH}
        lost = {"type": "link", "kind": EVIL, "run": EVIL}
        changed = {"type": "params", "values": {EVIL: f"{EVIL} other", "lr": 0.2}}
        self.second = forged.run(
            [*EVENTS, changed, link, lost], name=f"{EVIL}2", opening=OPENING | {"parent": self.first}, frames=points
        )
        self.third = forged.run([*EVENTS, changed], name=EVIL, opening=OPENING, frames=points)
        said = {"user": EVIL, "host": EVIL, "reason": EVIL, "text": EVIL, "order": 1}
        number = {"number": 1, "run": self.first, "artifact": EVIL, "file": EVIL, "store": EVIL, "sha256": HASH}
        version = {"version": self.second, "size": 3, "step": 1}
        forged.model("digits", [
            {"type": "version", **said, **number, **version}, {"type": "alias", "alias": "prod", **said, **version},
            {"type": "note", **said}, {"type": "withdrawn", **said, "version": self.first}, {"type": "alias", **said},
        ])  # fmt: skip
        (folder / "known").write_bytes(b"abc")
        self.place = folder / "store"
        self.folder = folder


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hostile:
    monkeypatch.setenv("RUNLORE_STORE", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    return Hostile(tmp_path)


def model_calls(a: str, odd: str) -> list[list[str]]:
    return [
        [], ["digits"], ["digits@prod"], ["digits", "--full"], ["digits", "--json"], ["--json"], [odd], [EVIL],
        [f"digits@{odd}"], ["digits", "--at", odd], ["add", "digits", a, "-a", odd], ["add", odd, a],
        ["add", "digits", a, "--alias", odd], ["alias", "digits", "prod", odd], ["alias", "digits", odd, "x"],
        ["rm", "digits", odd], ["note", "digits", odd], ["note", odd, "x"], ["digits@prod", "--json"],
        ["alias", "digits", "1", "next", "--reason", odd], ["digits"], ["rm", "digits", "next"],
    ]  # fmt: skip


def calls(found: Hostile) -> dict[str, list[list[str]]]:
    """Return calls of every command that speak of the hostile runs, and some that name hostile things."""
    a, b, c, odd = found.first, found.second, found.third, TYPED
    where = f"name != {odd!r}"
    return {
        "run": [[odd], ["-m"], [f"--{odd}"], [str(found.folder)]],
        "ls": [
            [], ["--all", "-c", "experiment"], ["-c", f"params[{odd!r}]", "-c", f"tags[{odd!r}]"], [odd], [where],
            ["--sort", odd], ["--store", f"/{odd}"], ["--group-by", f"params[{odd!r}]"], [f"--{odd}"], ["-n", odd],
            ["--group-by", "experiment", "-c", f"metrics[{odd!r}]"], [f"params[{odd!r}] > 1"], ["--store", f"s9{odd}://x"],
            ["--json"],
        ],
        "show": [[a], [a, "--full"], [a, "--source"], [a, "--source", "--json"], [b], [b, "--full"],
                 [EVIL], [a[:3]], [b, "--json"], [], [a, odd]],
        "diff": [[a, b], [a, b, "--full"], [a, b, "--stat"], [a, c], [c, c], [a, f"./{odd}"], [a, "."],
                 [a, b, "--json"]],
        "which-run": [[HASH], ["abab", "cdcd"], ["known"], [odd], [HASH, "--json"]],
        "lineage": [[a], [b, "--full"], [HASH], [odd], [b, "--json"]],
        "reproduce": [[a, "--dry-run"], [b, "--dry-run", "--full"], [a], [a, "--dry-run", "--json"], [odd],
                      [a, "--to", str(found.place)]],
        "restore": [[a, "--to", f"out{odd}"], [a, "--all", "--to", "out"], [a, "-a", odd, "--to", "out"],
                    [a, "-a", "none", "--to", "out"], [b, "--all", "--to", f"x{odd}", "--json"], [a, "--to", "known"]],
        "model": model_calls(a, odd),
        "stats": [["loss"], [f"metrics[{odd!r}]"], [odd], ["loss", "--by", f"params[{odd!r}]"], ["loss", "--by", odd]],
        "export": [["--to", f"csv{odd}"], ["--to", "known"], [odd, "--to", "x"], ["--to", f"js{odd}", "--json"],
                   ["--html", f"page{odd}.html", "--title", odd], ["--html", "x", "--view", odd],
                   ["--html", f"{odd}/x"], [odd, "--html", "x"]],
        "edit": [[a, "--name", f"{odd}3"], [a, "--experiment", odd], [a], [odd, "--name", "x"]],
        "tag": [[a], [a, f"{odd}={odd}"], [a, odd], [a, "--remove", f"none{odd}"], [a, "--json"]],
        "note": [[a, odd], [odd, "x"], [a, " "]],
        "pin": [[a], [a, "--off"], [odd]],
        "archive": [[a], [a, "--off", "--json"], [odd], ["--where", odd], ["--where", where]],
        "rm": [[a, "--dry-run"], [odd], [c], ["--where", odd], ["--where", where, "--dry-run", "--json"]],
        "undo": [["--dry-run"], [], [odd]],
        "gc": [["--dry-run"], ["--keep-best", "1", "--metric", odd], ["--older-than", odd],
               ["--dry-run", "--older-than", "0s"], ["--keep-best", "0", "-m", "loss", "--best", "min"], ["--json"]],
        "ui": [["--store", f"/{odd}", "--port", odd], ["--host", odd], ["--allow-frame", odd, "--no-browser"]],
        "reindex": [[], ["--store", f"/{odd}"]],
        "doctor": [[], ["--json"], [odd]],
        "plugins": [[], ["--json"], [odd]],
        "quarantine": [[], [odd], ["--off", odd], [a], ["--json"], ["--off", a]],
        "env": [[], ["--off"], [odd]],
        "completion": [["bash"], ["zsh"], ["fish"], [odd]],
    }  # fmt: skip


def assert_harmless(text: str, call: list[str], *, is_terminal: bool = False) -> None:
    assert "\x1b[5;38;5;201m" not in text, f"a colour of the run's own: {call}"
    plain = STYLE.sub("", text) if is_terminal else text
    acting = sorted({char for char in plain if is_hidden(char) and char != "\n"})
    assert not acting, f"{acting} printed by {call}: {text!r}"
    if "show" not in call:  # it prints notes and tracebacks, which have several lines
        assert not re.search(r"^SPOOFED", plain, re.MULTILINE), f"a line of the run's own: {call}: {text!r}"


def test_every_command_is_called(hostile: Hostile) -> None:
    assert set(calls(hostile)) == set(COMMANDS), "a new command is called here, too"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_acts_on_what_reads_its_pipe(hostile: Hostile, name: str) -> None:
    for arguments in calls(hostile)[name]:
        result = runlore(name, *arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit), (name, arguments, result.exception)
        assert_harmless(result.output, [name, *arguments])
        if "--json" in arguments and result.exit_code == 0:
            json.loads(result.stdout)


def printed_on_a_terminal(arguments: list[str]) -> str:
    """Call a command with a terminal as its stdout and stderr; return what the terminal gets."""
    leader, follower = pty.openpty()
    tty.setraw(follower)
    parts: list[bytes] = []

    def read() -> None:
        with suppress(OSError):  # the end, on Linux
            while data := os.read(leader, 65536):
                parts.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with os.fdopen(follower, "w", encoding="utf-8") as out, redirect_stdout(out), redirect_stderr(out):
            assert out.isatty()
            with pytest.raises(SystemExit):
                main(arguments)
    finally:
        reader.join()
        os.close(leader)
    return b"".join(parts).decode()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_acts_on_a_terminal(hostile: Hostile, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    for arguments in calls(hostile)[name]:
        assert_harmless(printed_on_a_terminal([name, *arguments]), [name, *arguments], is_terminal=True)


def test_a_terminal_gets_the_colours_of_the_command(hostile: Hostile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert STYLE.search(printed_on_a_terminal(["ls"])), "so it is known as one"


def test_json_tells_hidden_characters_exactly(hostile: Hostile) -> None:
    found = document("show", hostile.first, "--json")
    assert (found["name"], found["tags"][EVIL], found["notes"][0]["text"]) == (EVIL, EVIL, EVIL)


def test_an_unexpected_error_prints_a_harmless_traceback(tmp_path: Path) -> None:
    code = "from runlore.cli import main; import runlore.cli.commands.doctor as p; p.installed_plugins = fail\n"
    script = f"def fail(): raise ValueError({EVIL!r})\n{code}main(['plugins'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    text = done.stderr.decode()
    assert text.startswith("Traceback (most recent call last):\n")
    assert done.returncode == 1
    assert_harmless(text, ["show"])


def test_our_exceptions_and_warnings_are_harmless_where_python_prints_them(
    hostile: Hostile, python: Callable[..., Process]
) -> None:
    process = python(
        f"""
        import warnings
        import runlore
        from runlore._warnings import report
        report({EVIL!a})
        warnings.simplefilter("error")
        report({EVIL!a})
        with runlore.start_run({EVIL!a}):
            runlore.open_store().run({TYPED!a})
        """,
        RUNLORE_QUIET="0",
    )
    assert process.wait() == 1
    printed = process.err
    for expected in (
        "RunloreWarning: e\\x1b]0;title",
        "runlore: e\\x1b]0;title",
        "runlore: run e\\x1b",
        "RunNotFound: no run",
    ):
        assert expected in printed
    assert_harmless(printed, ["show"])


@pytest.mark.parametrize("error", [runlore_errors.MetricNotFound(EVIL), runlore_errors.StoreNotFound(EVIL)])
def test_the_text_of_an_error_shows_hidden_characters(error: Exception) -> None:
    assert str(error) == visible_text(EVIL)


def test_commands_print_by_one_module() -> None:
    """So that no new line of a command goes around the escapes."""
    folder = Path(runlore_cli.__file__).parent
    for path in folder.rglob("*.py"):
        if path.name == "printing.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert name not in FORBIDDEN, f"{path.name}:{getattr(node, 'lineno', 0)}: use runlore.cli.printing"
