"""The commands, as processes and as people and programs read them."""

import json
import math
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runlore import Store
from runlore.cli import main


def runlore(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def document(*arguments: str) -> Any:
    result = runlore(*arguments)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def filled(store: Store) -> Store:
    with store.start_run("parent", params={"lr": 0.1, "bad": math.nan}, tags={"team": "vision"}) as run:
        run.log_metrics({"loss": math.nan, "acc": 0.5}, step=4)
        run.note("looks good")
        store.start_run("child", params={"lr": 0.2}, parent=run).finish()
    with pytest.raises(ZeroDivisionError), store.start_run("broken", experiment="other"):
        _ = 1 / 0
    return store


def test_ls_json_is_what_the_design_pins(filled: Store) -> None:
    runs = document("ls", "--json")
    assert [run["name"] for run in runs] == ["broken", "child", "parent"]
    parent = runs[2]
    assert list(parent) == [
        "id", "name", "experiment", "status", "started", "ended", "duration_s", "parent", "params", "metrics", "tags",
        "summary",
    ]  # fmt: skip
    assert parent["params"] == {"lr": 0.1, "bad": "NaN"}
    assert parent["metrics"]["loss"] == {"last": "NaN", "min": None, "max": None, "count": 1, "last_step": 4}
    assert runs[1]["parent"] == parent["id"]
    started = datetime.fromisoformat(parent["started"])
    assert started.tzinfo == UTC
    assert abs((datetime.now(UTC) - started).total_seconds()) < 60
    assert math.isclose(
        parent["duration_s"], (datetime.fromisoformat(parent["ended"]) - started).total_seconds(), abs_tol=1e-6
    )


def test_ls_json_takes_queries_sorts_and_limits(filled: Store) -> None:
    assert [run["name"] for run in document("ls", "params.lr > 0", "--sort=-params.lr", "--json")] == [
        "child", "parent",
    ]  # fmt: skip
    assert len(document("ls", "--json", "-n", "1")) == 1


def test_a_missing_store_is_an_empty_list(tmp_path: Path) -> None:
    assert document("ls", "--json", "--store", str(tmp_path / "none")) == []
    assert "No runs yet" in runlore("ls").output
    assert not (tmp_path / "store").exists()


def test_show_json_is_what_the_design_pins(filled: Store, tmp_path: Path) -> None:
    found = document("show", "parent", "--json")
    for key in ("environment", "artifacts", "links", "children", "error", "notes"):
        assert key in found
    assert found["notes"] == ["looks good"]
    assert found["children"] == [filled.run("child").id]
    assert document("show", "broken", "--json")["error"]["type"] == "ZeroDivisionError"
    (tmp_path / "w.bin").write_bytes(b"abc")
    with filled.start_run("files") as run:
        run.log_artifact(tmp_path / "w.bin", kind="model", step=1)
    (artifact,) = document("show", "files", "--json")["artifacts"]
    assert list(artifact) == [
        "name", "kind", "path", "size", "sha256", "stored", "step", "epoch", "roles", "present",
        "monitor", "value", "why",
    ]  # fmt: skip


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


def test_columns_can_be_chosen(filled: Store) -> None:
    listed = runlore("ls", "-c", "metrics.acc.max", "-c", "params.lr", "-c", "env.python.version").output
    head = listed.splitlines()[0].split()
    assert head[-3:] == ["acc.max", "lr", "env.python.version"]


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


def test_a_hint_points_at_a_key_that_no_run_has(filled: Store) -> None:
    result = runlore("ls", "metrics.accc > 0")
    assert "did you mean metrics.acc ?" in result.stderr


def test_reindex_counts_the_runs(filled: Store) -> None:
    assert runlore("reindex").output == "3 runs indexed\n"


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


def test_a_pipe_that_closes_is_no_error(filled: Store) -> None:
    done = subprocess.run(f"{command()} ls --json | head -c 1", shell=True, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[", "")


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


def command() -> str:
    return str(Path(sys.executable).with_name("runlore"))


def test_children_are_listed_when_asked_for(filled: Store) -> None:
    assert "child" not in runlore("ls", "params.lr > 0").stdout
    assert "child" in runlore("ls", "params.lr > 0", "--all").stdout
    assert "child" in runlore("ls", "parent is not None").stdout
    assert "children do" in runlore("ls", "params.lr == 0.2").stdout


def test_what_a_query_asks_for_is_shown_and_nothing_is_cut(filled: Store) -> None:
    listed = runlore("ls", "params.bad is not None or params.lr > 0", "--sort=-metrics.acc.max").stdout
    assert listed.splitlines()[0].split()[5:8] == ["acc.max", "bad", "lr"]
    wide = runlore("ls", *(f"-c{field}" for field in ["id", "started", "metrics.acc.max", "params.lr", "parent"] * 3))
    assert filled.run("parent").id in wide.stdout
    assert "…" not in wide.stdout


def test_the_same_key_as_metric_and_param_is_told_apart(store: Store) -> None:
    with store.start_run(params={"lr": 1}) as run:
        run.log_metrics({"lr": 0.5})
    with store.start_run(params={"lr": 2}):
        pass
    assert {"metrics.lr", "params.lr"} <= set(runlore("ls").stdout.splitlines()[0].split())


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


def test_an_output_that_cannot_be_written_is_one_line(filled: Store) -> None:
    done = subprocess.run(f"{command()} ls > /dev/full", shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No space left" in done.stderr


def test_a_key_that_no_run_has_is_hinted_at_where_it_may_be(store: Store) -> None:
    with store.start_run("a", params={"lr": 0.1}) as run:
        run.log_summary({"train_runtime": 3.0})
        run.log_metrics({"loss": 1.0})
    assert "did you mean summary.train_runtime ?" in runlore("ls", "metrics.train_runtime > 1").stderr
    assert "did you mean params.lr ?" in runlore("ls", "--sort=-metrics.lr").stderr
    assert "no run has metrics.other" in runlore("ls", "--sort=metrics.other").stderr
    assert runlore("ls", "--sort=-params.lr").stderr == ""
