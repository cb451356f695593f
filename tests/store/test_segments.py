"""What the segments of a resumed run were told to train with."""

from typing import Any

import pytest

import runlore
from runlore import FitSession, Store, guest
from runlore.analysis.comparison import compare
from tests.commands import document
from tests.commands import runlore as call


def train(name: str, params: dict[str, Any], steps: range, *, fails: bool = False, **options: Any) -> None:
    try:
        with runlore.start_run(name, params=params, resume="allow", **options) as run:
            for step in steps:
                run.log_metrics({"loss": 1.0}, step)
            if fails:
                raise RuntimeError("the node goes down")
    except RuntimeError:
        pass


@pytest.fixture
def resumed(store: Store) -> Store:
    """A run whose learning rate was changed when it went on, and one that never changed."""
    train("resumed", {"lr": 0.1, "layers": [1, 2], "nan": float("nan")}, range(1, 11), fails=True)
    train("resumed", {"lr": 0.01, "layers": [1, 2], "warmup": 5, "nan": float("nan")}, range(11, 21), fails=True)
    train("resumed", {}, range(13, 16), at_step=12)
    train("whole", {"lr": 0.01, "layers": [1, 2], "warmup": 5, "nan": float("nan")}, range(1, 16))
    return store


def test_a_segment_has_the_params_that_it_trained_with(resumed: Store) -> None:
    """The last ones once replaced the others without a trace."""
    run = resumed.run("resumed")
    first, second, third = run.segments
    assert [segment.params["lr"] for segment in run.segments] == [0.1, 0.01, 0.01]
    assert "warmup" not in first.params
    assert second.params["layers"] == [1, 2]
    assert dict(third.params).keys() == run.params.keys()
    assert [segment.from_step for segment in run.segments] == [None, 10, 12]
    assert [found.name for found in resumed.runs("params.lr == 0.01")] == ["whole", "resumed"]
    (only,) = resumed.run("whole").segments
    assert (only.params["lr"], only.from_step) == (0.01, None)


def test_show_tells_per_segment_what_changed(resumed: Store) -> None:
    shown = call("show", "resumed").output
    lines = [line.strip() for line in shown.splitlines()]
    assert ("lr 0.1 → 0.01" in lines, "warmup – → 5" in lines) == (True, True)
    assert "from step 10" in shown
    assert not any(line.startswith(("nan", "layers")) and "→" in line for line in lines)
    told = document("show", "resumed", "--json")["segments"]
    assert [segment["changed"] for segment in told] == [{}, {"lr": [0.1, 0.01], "warmup": [None, 5]}, {}]


def test_a_baseline_lacks_no_params(store: Store) -> None:
    with FitSession.begin("own", params=lambda: {"seed": 1, "batch": 8}) as evaluation:
        evaluation.metrics({"eval_loss": 1.0}, step=0)
    params = {"seed": 2, "batch": 8, "lr": 0.1}
    with FitSession.begin("own", guest.FitRequest(continues=evaluation.run), params=lambda: params) as session:
        session.metrics({"loss": 0.5}, step=1)
    (run,) = store.runs()
    told = document("show", run.id, "--json")["segments"]
    assert [segment["changed"] for segment in told] == [{}, {"seed": [1, 2]}]


def test_diff_tells_what_changed_on_the_way(resumed: Store) -> None:
    """Both runs end with the same params, and differ all the same."""
    found = compare(resumed.run("resumed"), resumed.run("whole"))
    changes = {change.key: (change.a, change.b) for change in found.changes if change.group == "params"}
    assert changes == {
        "lr": ("0.1 → 0.01 from step 10 on", 0.01),
        "warmup": ("– → 5 from step 10 on", 5),
    }
    assert "0.1 → 0.01 from step 10 on" in call("diff", "resumed", "whole").output


def test_a_fit_that_begins_again_from_an_earlier_step_changes_no_params(store: Store) -> None:
    with FitSession.begin("own") as session:
        session.params({"lr": 0.1})
        session.metrics({"loss": 1.0}, step=5)
        session.rewind(2)
        session.metrics({"loss": 0.5}, step=3)
    segments = store.runs()[0].segments
    assert [dict(segment.params) for segment in segments] == [{"lr": 0.1}] * 2
    assert [segment.from_step for segment in segments] == [None, 2]
