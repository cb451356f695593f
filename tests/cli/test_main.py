"""All commands: errors, output, completion, and text that a run recorded."""

import os
import pty
import subprocess
from pathlib import Path

import click
import pytest

from runlore import Store
from runlore import cli as runlore_cli
from runlore.cli import COMMANDS, main
from tests.commands import command, runlore


def test_every_command_is_in_the_table_and_every_module_has_one() -> None:
    context = click.Context(main)
    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert command.name == name
    modules = {path.stem for path in (Path(runlore_cli.__file__).parent / "commands").glob("*.py")} - {"__init__"}
    assert modules == set(COMMANDS.values())


def test_the_version_and_the_shells_are_known(filled: Store) -> None:
    assert runlore("--version").output.startswith("runlore 0.")
    for shell in ("bash", "zsh", "fish"):
        assert "_RUNLORE_COMPLETE" in runlore("completion", shell).output


def test_run_names_complete_in_the_shell(filled: Store) -> None:
    environment = {
        **os.environ, "_RUNLORE_COMPLETE": "bash_complete", "COMP_WORDS": "runlore show par", "COMP_CWORD": "2",
    }  # fmt: skip
    done = subprocess.run([command()], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "plain,parent\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["show", "nothing"], 1, "no run matches 'nothing'"),
        (["shwo"], 2, "Did you mean 'show'?"),
        (["ls", "metric.loss < 1"], 2, "did you mean metrics.loss"),
        (["ls", "--sort", "3"], 2, "nothing to sort by"),
        (["ls", "--store", "s9://x"], 1, "no backend for 's9'"),
        (["show"], 2, "Missing argument"),
    ],
)
def test_errors_name_the_value_and_the_way_out(filled: Store, arguments: list[str], code: int, message: str) -> None:
    result = runlore(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["ls", "--store", "/nowhere/at/all"], 1, "no store at '/nowhere/at/all'"),
        (["ls", "--store", __file__], 1, "is a file, not a store"),
        (["ls", "status == 'finishd'"], 2, "did you mean 'finished' ?"),
        (["ls", "started > 2026"], 2, "is no time"),
        (["ls", "params.xyzzy > 1"], 0, "no run has params.xyzzy"),
    ],
)
def test_typos_are_named(filled: Store, arguments: list[str], code: int, message: str) -> None:
    result = runlore(*arguments)
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr


def test_the_tables_fit_80_columns_and_name_what_matters(filled: Store) -> None:
    listed = runlore("ls").output
    assert "parent" in listed
    assert "child" not in listed.replace("Children are not listed", "")
    assert "child" in runlore("ls", "--all").output
    shown = runlore("show", "parent").output
    for word in ("parent", "finished", "lr", "0.1", "acc", "looks good", "team=vision", "child"):
        assert word in shown
    assert "ZeroDivisionError: division by zero" in runlore("show", "broken").output
    for line in (listed + shown).splitlines():
        assert len(line) <= 80, line


def test_control_characters_and_markup_in_stored_text_stay_text(store: Store) -> None:
    evil = "\x1b]0;owned\x07[red]x[/red]\x1b[2J\u202e"
    with store.start_run(evil, params={evil: evil}, tags={"t": evil}) as run:
        run.note(evil)
        run.log_metrics({evil: 1.0})
    for arguments in (["ls"], ["ls", "-c", "tags.t"], ["show", run.id], ["show", run.id, "--full"]):
        output = runlore(*arguments).output
        assert "\x1b" not in output
        assert "\u202e" not in output
        assert "[red]" in output or "\\x1b]0;ow" in output


def test_colour_only_on_a_terminal(filled: Store) -> None:
    assert "\x1b[" not in subprocess.run([command(), "ls"], capture_output=True, text=True, check=True).stdout
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([command(), "ls"], stdout=follower, stderr=follower, env=environment)
    process.wait()
    os.close(follower)
    printed = os.read(leader, 100_000).decode()
    os.close(leader)
    assert "\x1b[" in printed


def test_a_pipe_that_closes_is_no_error(filled: Store) -> None:
    done = subprocess.run(f"{command()} ls --json | head -c 1", shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[", "")


def test_an_output_that_cannot_be_written_is_one_line(filled: Store) -> None:
    done = subprocess.run(f"{command()} ls > /dev/full", shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


@pytest.mark.parametrize("arguments", [["ls"], ["ls", "--json"], ["--help"], ["show", "read"], ["plugins"]])
def test_a_reader_that_leaves_is_no_reason_to_complain(store: Store, arguments: list[str]) -> None:
    """`runlore ls | true` once ended with status 1."""
    store.start_run("read").finish()
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([command(), *arguments], stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
