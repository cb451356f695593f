"""Summaries: one value for a whole run."""

import json
import math
import subprocess
import sys
from typing import Any

from runlore import Store


def filled(store: Store) -> Any:
    for number, name in enumerate(("a", "b")):
        with store.start_run(name, params={"lr": 0.1}) as run:
            run.log_summary({"train_runtime": 1.5 + number, "best": {"score": 0.25}, "odd": math.nan})
            run.log_summary({"best": {"score": 0.5}})
    return store.run("b")


def test_a_summary_comes_back_and_can_be_asked_for(store: Store) -> None:
    run = filled(store)
    assert (run.summary["train_runtime"], run.summary["best.score"]) == (2.5, 0.5)
    assert math.isnan(run.summary["odd"])
    assert dict(run.metrics) == {}
    assert [found.name for found in store.runs("summary.train_runtime < 2")] == ["a"]
    assert [found.name for found in store.runs(sort="-summary.train_runtime")] == ["b", "a"]
    assert store.runs().to_rows()[0]["summary.best.score"] == 0.5
    assert store.runs().to_pandas()["summary.train_runtime"].tolist() == [2.5, 1.5]


def test_a_summary_is_shown_listed_and_compared(store: Store) -> None:
    filled(store)

    def ask(*words: str) -> str:
        command = [sys.executable, "-m", "runlore", *words, "--store", str(store.root)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    document = json.loads(ask("show", "b", "--json"))
    assert document["summary"] == {"train_runtime": 2.5, "best.score": 0.5, "odd": "NaN"}
    shown = ask("show", "b")
    assert "summary" in shown
    assert "train_runtime  2.5" in shown
    assert "2.5" in ask("ls", "-c", "summary.train_runtime")
    assert json.loads(ask("diff", "a", "b", "--json"))["metrics"] == {"train_runtime": {"a": 1.5, "b": 2.5}}


def test_what_is_no_number_is_named_and_left_out(store: Store) -> None:
    with store.start_run("odd") as run:
        run.log_summary({"score": 0.5, "best_params": "C=1", "good": True})
    found = store.run("odd")
    assert found.summary == {"score": 0.5}
    assert {item["what"] for item in found.missing} == {"summary best_params", "summary good"}
