"""accelerate's trackers, for training loops of one's own."""

from collections.abc import Callable
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from runlore import Store
from tests.process import Process
from tests.transformers.models import LOOP, only

Python = Callable[..., Process]


@pytest.mark.parametrize("how", ["object", "name"])
def test_a_loop_of_ones_own_is_tracked(store: Store, warm_python: Python, how: str) -> None:
    warm_python(LOOP, how, "none", "1").succeed()
    run = only(store)
    assert (run.status, run.experiment, run.params) == ("finished", "digits", {"lr": 0.1, "net": "linear"})
    assert (run.name == "looped") == (how == "object")
    assert run.metrics["loss"].steps.tolist() == [0, 1, 2, 3]
    assert [note.text for note in run.notes] == ["{'phase': 'warm'}"]


def test_a_loop_that_fails_says_so(store: Store, warm_python: Python) -> None:
    warm_python(LOOP, "object", "fail", "1").wait()
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", "no more")


def test_a_loop_that_forgets_its_end_ends_with_python(store: Store, warm_python: Python) -> None:
    warm_python(LOOP, "object", "forget", "1").succeed()
    assert only(store).status == "finished"


def accelerator() -> Any:
    from accelerate import Accelerator

    from runlore_transformers import RunloreTracker

    assert RunloreTracker.name == "runlore"
    return Accelerator(cpu=True, log_with="runlore")


def test_several_loops_make_several_runs(store: Store) -> None:
    """A tracker's run stayed the fit under way, and swallowed the loops after it."""
    for rate in (0.1, 0.2, 0.3):
        made = accelerator()
        made.init_trackers("sweep", config={"lr": rate})
        made.log({"loss": rate}, step=0)
    LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    assert [run.params["lr"] for run in store.runs(sort="id")] == [0.1, 0.2, 0.3]
    assert [run.metrics["loss"].last for run in store.runs(sort="id")] == [0.1, 0.2, 0.3]


def test_a_loop_that_ends_by_an_exception_says_so(store: Store) -> None:
    """`end_training` in a `finally` block ended the run as finished."""
    made = accelerator()
    made.init_trackers("digits")
    with pytest.raises(ValueError, match="boom"):
        try:
            raise ValueError("boom")
        finally:
            made.end_training()
    assert (only(store).status, only(store).error["message"]) == ("failed", "boom")


def test_init_trackers_twice_is_one_run(store: Store) -> None:
    """The second call ended the empty run, and began another."""
    from accelerate import Accelerator

    from runlore_transformers import RunloreTracker

    made = Accelerator(cpu=True, log_with=RunloreTracker("digits"))
    made.init_trackers("digits")
    made.init_trackers("digits")
    made.log({"loss": 1.0}, step=3)
    made.end_training()
    assert only(store).metrics["loss"].steps.tolist() == [3]


def test_the_project_is_the_experiment_of_a_tracker_without_one(store: Store) -> None:
    """Only trackers that are asked for by name were told of it."""
    from accelerate import Accelerator

    from runlore_transformers import RunloreTracker

    for tracker in (RunloreTracker(), RunloreTracker("own")):
        made = Accelerator(cpu=True, log_with=tracker)
        made.init_trackers(project_name="digits")
        made.end_training()
    assert [run.experiment for run in store.runs(sort="id")] == ["digits", "own"]
