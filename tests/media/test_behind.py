"""What takes time is encoded behind the call, of what was given as it was then."""

import json
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import runlore
from runlore import Store, hookimpl

MANY = 20_000
Plugins = Callable[[Any], Any]


class Gate:
    """Lets nothing that is kept pass before it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    @hookimpl
    def runlore_rewrite_event(self, event: Any) -> None:
        if event["type"] == "artifact":
            assert self.opened.wait(60)


class Large:
    """Values that are logged and changed afterwards, with what is expected of each."""

    def __init__(self) -> None:
        self.frame = pd.DataFrame({"a": np.arange(9_000.0), "b": ["x", "y", "z"] * 3_000})
        self.rows: list[dict[str, Any]] = [{"a": place, "b": [place]} for place in range(9_000)]
        self.values, self.labels = np.arange(float(MANY)), np.arange(MANY) % 2
        self.scores = np.linspace(0, 1, MANY)
        self.names = ["cat", "dog"] * (MANY // 2)

    def log(self, run: Any) -> None:
        run.log_table("frame", self.frame)
        run.log_table("rows", self.rows)
        run.log_table("columns", {"a": self.values[:9_000], "b": self.scores[:9_000]})
        run.log_histogram("bins", self.values)
        run.log_confusion_matrix("matrix", self.labels, 1 - self.labels)
        run.log_confusion_matrix("named", np.array(self.names), self.names)
        run.log_roc_curve("roc", self.values > 5_000, self.scores)
        run.log_curves("lines", {"one": (self.values, self.scores)})
        run.log_media("text", "word " * MANY)

    def change(self) -> None:
        self.frame["a"] = -1.0
        self.frame.loc[:, "b"] = "changed"
        self.rows[-1]["b"].append(1)
        self.rows.clear()
        self.names.clear()
        for array in (self.values, self.labels, self.scores):
            array.fill(-1)


def test_what_is_large_is_kept_behind_the_call_as_it_was_then(store: Store, runlore_plugins: Plugins) -> None:
    gate, large = Gate(), Large()
    runlore_plugins(gate)
    with store.start_run("changed") as run:
        large.log(run)
        large.change()
        assert not [item for item in store.run(run.id).artifacts if item.media], "the gate is not open"
        gate.opened.set()
    artifacts = {str(item.media): item for item in store.run(run.id).artifacts if item.media}
    assert artifacts.pop("text").read_bytes() == b"word " * MANY
    found = {key: json.loads(item.read_bytes()) for key, item in artifacts.items()}
    assert found["frame"]["rows"][-1] == [8_999.0, "z"]
    assert found["rows"]["rows"][-1] == [8_999, "[8999]"]
    assert found["columns"]["rows"][-1] == [8_999.0, pytest.approx(8_999 / (MANY - 1))]
    assert (sum(found["bins"]["counts"]), found["bins"]["edges"][0]) == (MANY, 0.0)
    assert found["matrix"]["matrix"] == [[0, MANY // 2], [MANY // 2, 0]]
    assert found["named"] == {"labels": ["cat", "dog"], "matrix": [[MANY // 2, 0], [0, MANY // 2]]}
    assert found["roc"]["classes"][0]["area"] == 1.0
    assert found["lines"]["classes"][0]["x"][-1] == MANY - 1


def test_what_is_small_is_kept_when_the_call_returns(store: Store) -> None:
    with store.start_run("small") as run:
        run.log_table("table", [{"a": 1}])
        run.log_histogram("bins", [1.0, 2.0])
        run.log_confusion_matrix("matrix", [0, 1], [1, 1])
        assert {item.media for item in store.run(run.id).artifacts if item.media} == {"table", "bins", "matrix"}


def test_the_order_of_calls_is_kept_whatever_is_large(store: Store) -> None:
    with store.start_run("order") as run:
        for step in range(12):
            run.log_table("table", pl.DataFrame({"a": range(10 if step % 2 else 9_000)}), step=step)
    found = [item for item in store.run(run.id).artifacts if item.media]
    assert [item.step for item in found] == list(range(12))
    assert [len(json.loads(item.read_bytes())["rows"]) for item in found] == [9_000, 10] * 6


def test_what_is_wrong_with_large_values_is_named_and_training_goes_on(store: Store) -> None:
    class Odd:
        def __str__(self) -> str:
            raise KeyError("odd")

    with store.start_run("wrong") as run, pytest.warns(runlore.RunloreWarning, match="can't be recorded"):
        run.log_roc_curve("roc", np.ones(MANY), np.zeros(MANY))
        run.log_confusion_matrix("matrix", np.arange(MANY), np.arange(MANY))
        run.log_table("odd", [[Odd()] * 3] * 3_000)
        run.log_table("wide", [["x" * 1_000] * 200] * 100)
        run.log_metrics({"loss": 1.0})
        run.settle_media()
    found = store.run(run.id)
    missing = {item["what"]: item["why"] for item in found.missing}
    assert set(missing) == {"media roc", "media matrix", "media odd", "media wide"}
    assert "no negative label" in missing["media roc"]
    assert "20,000 classes: at most 100 are kept" in missing["media matrix"]
    assert "KeyError" in missing["media odd"]
    assert "at most 16,777,216 are kept" in missing["media wide"]
    assert found.metrics["loss"].last == 1.0
