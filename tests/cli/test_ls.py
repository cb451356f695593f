"""`runlore ls`: queries, columns, hints."""

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest

from runlore import Store
from tests.commands import document, runlore


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


def test_columns_can_be_chosen(filled: Store) -> None:
    listed = runlore("ls", "-c", "metrics.acc.max", "-c", "params.lr", "-c", "env.python.version").output
    head = listed.splitlines()[0].split()
    assert head[-3:] == ["acc.max", "lr", "env.python.version"]


def test_a_hint_points_at_a_key_that_no_run_has(filled: Store) -> None:
    result = runlore("ls", "metrics.accc > 0")
    assert "did you mean metrics.acc ?" in result.stderr


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


def test_a_key_that_no_run_has_is_hinted_at_where_it_may_be(store: Store) -> None:
    with store.start_run("a", params={"lr": 0.1}) as run:
        run.log_summary({"train_runtime": 3.0})
        run.log_metrics({"loss": 1.0})
    assert "did you mean summary.train_runtime ?" in runlore("ls", "metrics.train_runtime > 1").stderr
    assert "did you mean params.lr ?" in runlore("ls", "--sort=-metrics.lr").stderr
    assert "no run has metrics.other" in runlore("ls", "--sort=metrics.other").stderr
    assert runlore("ls", "--sort=-params.lr").stderr == ""


@pytest.mark.parametrize(
    "command",
    [
        ["ls"],
        ["ls", "--group-by", "params.n"],
        ["stats", "--metric", "loss"],
        ["export", "--format", "json", "--to", "table"],
    ],
    ids=" ".join,
)
def test_a_key_that_no_run_has_is_hinted_at_once_and_in_the_query_as_it_was_typed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with store.start_run("a", params={"depth": 3, "n": 1}) as run:
        run.log_metrics({"loss": 1.0})
    told = runlore(*command, "params.dept == 3").stderr
    assert told == "runlore: no run has params.dept: did you mean params.depth ?\n  params.dept == 3\n  ^\n"


def test_a_key_to_sort_by_that_no_run_has_is_hinted_at_once(store: Store) -> None:
    store.start_run("a", params={"depth": 3}).finish()
    told = runlore("ls", "--sort=params.dept").stderr
    assert told == "runlore: no run has params.dept: did you mean params.depth ?\n  params.dept\n  ^\n"


def test_texts_take_the_room_that_the_terminal_has(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tags were cut after 14 or 22 characters however wide the terminal was."""
    reason = "epoch 3: Monitored metric val_loss did not improve in the last 5 records."
    for lr in (0.1, 0.2):
        params = {"lr": lr, "path": f"/data/{lr}/" + "long/" * 8}
        store.start_run(params=params, tags={"stopped": f"{lr} {reason}"}).finish()
    for arguments in ([], ["-c", "stopped"], ["-c", "params.lr", "-c", "stopped"], ["-c", "path", "-c", "stopped"]):
        monkeypatch.setenv("COLUMNS", "190")
        assert f"0.2 {reason}" in runlore("ls", *arguments).stdout, arguments
        monkeypatch.setenv("COLUMNS", "80")
        lines = runlore("ls", *arguments).stdout.splitlines()
        assert max(map(len, lines)) <= 80, arguments
        assert reason not in "".join(lines)
    monkeypatch.setenv("COLUMNS", "60")
    assert "0.2 epoch 3: Moni" in runlore("ls", "-c", "stopped").stdout
