"""Odd arguments: recorded as text, or refused before anything is made."""

from pathlib import Path

import numpy as np
import pytest

from runlore import Store


def test_odd_arguments_are_recorded_and_break_nothing(store: Store, tmp_path: Path) -> None:
    """One of these once made the record unreadable or raised in the training."""
    (tmp_path / "f").write_bytes(b"x")
    with store.start_run("odd", experiment=["x"]) as run:  # type: ignore[arg-type]
        run.log_artifact(tmp_path / "f", step=2**64, kind={"a": 1}, epoch=np.float32(3))  # type: ignore[arg-type]
        run.log_artifact(tmp_path / "f", step=np.int64(3), name=Path("p"))  # type: ignore[arg-type]
        run.log_metrics({"a": 1.0}, split=("val",))  # type: ignore[arg-type]
        run.log_params({"\udc80": "\udc80"})
        run.set_tags({"\udc80": object()})
        run.finish(["x"])  # type: ignore[arg-type]
    found = store.run("odd")
    assert [artifact.step for artifact in found.artifacts] == [None, 3]
    assert found.experiment == "['x']"
    assert len(store.runs()) == 1


def test_the_highest_step_of_all_is_no_trap(store: Store) -> None:
    """Counting on once went beyond 64 bits, from numpy's 8-bit integers beyond 8."""
    with store.start_run("high") as run:
        run.log_metrics({"a": 1.0}, step=2**63 - 1)
        run.log_metrics({"a": 2.0})
        run.log_metrics({"b": 1.0}, step=np.uint8(255))  # type: ignore[arg-type]
        run.log_metrics({"b": 2.0})
    metrics = store.run("high").metrics
    assert metrics["a"].values.tolist() == [2.0]
    assert metrics["b"].steps.tolist() == [255, 256]


def test_arguments_of_the_wrong_kind_are_named_before_anything_is_made(store: Store) -> None:
    """They once failed deep inside."""
    with pytest.raises(TypeError, match=r"tags is \['a'\]: write a mapping"):
        store.start_run(tags=["a"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"params is \[1\]"):
        store.start_run(params=[1])
    assert not store.exists
    with store.start_run("") as run, pytest.raises(TypeError, match="metrics is 'a': write a mapping"):
        run.log_metrics("a", 1)  # type: ignore[arg-type]
    assert store.runs()[0].name != ""
    with pytest.raises(KeyError, match="no metric 'los'"):
        _ = store.runs()[0].metrics["los"]
    with pytest.raises(ValueError, match="limit is -1"):
        store.runs(limit=-1)
