"""How far a repeated run is the same as the first: metrics, files, params, data and ends."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from runlore import Store
from runlore.reproduction import judge
from runlore.reproduction.verdicts import Verdict
from tests.commands import document
from tests.reproduction.projects import reproduce, train


def judged_curves(store: Store, first: dict[str, list[float]], again: dict[str, list[float]]) -> Verdict:
    for name, curves in (("a", first), ("b", again)):
        with store.start_run(name) as run:
            for key, values in curves.items():
                for step, value in enumerate(values):
                    run.log_metrics({key: value}, step=step)
    return judge(store.run("a"), store.run("b"))


@pytest.mark.parametrize(
    ("first", "again", "level"),
    [
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.0]}, "bit-identical"),
        ({"loss": [1.0, float("nan")]}, {"loss": [1.0, float("nan")]}, "bit-identical"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.00001]}, "within tolerance"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, 2.0001]}, "different"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0, float("nan")]}, "different"),
        ({"loss": [1.0, float("inf")]}, {"loss": [1.0, 2.0]}, "different"),
        ({"loss": [0.0, 0.0]}, {"loss": [0.0, 1e-300]}, "different"),
        ({"loss": [1.0, 2.0]}, {"loss": [1.0]}, "different"),
        ({"loss": [1.0]}, {"loss": [1.0], "acc": [1.0]}, "different"),
        ({"epoch_time": [1.0]}, {"epoch_time": [2.0]}, "nothing to compare"),
    ],
)
def test_levels(store: Store, first: dict[str, list[float]], again: dict[str, list[float]], level: str) -> None:
    assert judged_curves(store, first, again).level == level


def test_data_that_was_only_shuffled_is_told_so(store: Store) -> None:
    for name, data in (("a", [1, 2, 3]), ("b", [3, 2, 1])):
        with store.start_run(name) as run:
            run.log_data("X", data)
            run.log_metrics({"loss": 1.0})
    assert judge(store.run("a"), store.run("b")).reasons == (
        "data 'X' is not the same: the same 3 rows in another order",
    )


def test_a_difference_within_the_tolerance_is_measured(store: Store, project: Path) -> None:
    train(project)
    result = reproduce("--", "env", "FACTOR=1.0000001", "python", "train.py", "3")
    assert result.exit_code == 0, result.output
    assert "within tolerance of 1e-05" in result.stdout
    found = document(
        "reproduce", "first", "--here", "--json", "--", "env", "FACTOR=1.0000001", "python", "train.py", "3"
    )
    assert found["verdict"] == "within tolerance"
    told = found["runs"][0]["deviations"]["loss"]
    values = store.run("first").metrics["loss"].values
    assert told["relative"] == pytest.approx(1e-7, rel=1e-3)
    assert told["largest"] == pytest.approx(values.max() * 1e-7, rel=1e-3)
    assert told["step"] == int(values.argmax())
    assert reproduce("--tolerance", "1e-9", "--", "env", "FACTOR=1.0000001", "python", "train.py", "3").exit_code == 3


def judged(store: Store, **how: Callable[[Any, int], None]) -> Verdict:
    """Judge two runs that do what the functions say; each function is told the number of its run, 0 or 1."""
    for name, number in (("a", 0), ("b", 1)):
        with store.start_run(name) as run:
            run.log_metrics({"loss": 1.0})
            for act in how.values():
                act(run, number)
    return judge(store.run("a"), store.run("b"))


def test_files_that_differ_are_not_the_same(store: Store, tmp_path: Path) -> None:
    """Once, other files could differ as long as a metric was the same."""

    def table(run: Any, number: int) -> None:
        (tmp_path / "pred.csv").write_text(f"{number}\n")
        run.log_artifact(tmp_path / "pred.csv")

    assert judged(store, act=table).level == "different"


def test_weights_that_differ_where_no_metric_does_are_not_the_same(store: Store, tmp_path: Path) -> None:
    """Once, other weights counted as within tolerance although every metric was bit-identical."""

    def weights(run: Any, number: int) -> None:
        torch.save({"w": torch.full((3,), float(number))}, tmp_path / "w.pt")
        run.log_artifact(tmp_path / "w.pt", kind="model")

    found = judged(store, act=weights)
    assert (found.level, found.files[0].by) == ("different", "weights")


def test_weights_may_differ_as_far_as_the_metrics_do(store: Store, tmp_path: Path) -> None:
    """The counterpart: if a metric differs a little, so may the weights."""

    def both(run: Any, number: int) -> None:
        run.log_metrics({"acc": 0.5 + 1e-9 * number})
        torch.save({"w": torch.full((3,), float(number))}, tmp_path / "w.pt")
        run.log_artifact(tmp_path / "w.pt", kind="model")

    assert judged(store, act=both).level == "within tolerance"


def test_a_file_that_nobody_can_compare_leaves_it_open(store: Store, tmp_path: Path) -> None:
    """Once, the verdict was bit-identical although a model could not be compared."""

    def gone(run: Any, number: int) -> None:
        run.run_log.event({"type": "artifact", "name": "m", "kind": "model", "sha256": f"{number}" * 64, "size": 1})

    found = judged(store, act=gone)
    assert (found.level, found.files[0].same) == ("within tolerance", None)


def test_params_that_came_out_otherwise_count(store: Store) -> None:
    """Once, params were not compared."""
    assert judged(store, act=lambda run, number: run.log_params({"lr": number})).level == "different"


def test_params_that_say_where_files_go_do_not_count(store: Store) -> None:
    """The counterpart: the folder that a run writes to is no difference."""
    assert judged(store, act=lambda run, number: run.log_params({"out_dir": str(number)})).level == "bit-identical"


def test_a_number_of_the_run_beside_a_metric_of_its_name_counts(store: Store) -> None:
    """Once, a number of the whole run was skipped if the metric of its name was the same."""
    found = judged(store, act=lambda run, number: run.log_summary({"loss": 1.0 + number}))
    assert (found.level, found.deviations[0].key) == ("different", "loss (of the whole run)")


def test_zero_and_minus_zero_are_not_the_same_bits(store: Store) -> None:
    """Once, 0.0 and -0.0 counted as bit-identical."""
    found = judged(store, act=lambda run, number: run.log_metrics({"zero": -0.0 if number else 0.0}))
    assert (found.level, found.deviations[0].largest) == ("within tolerance", 0.0)


def test_other_errors_are_not_the_same_end(store: Store) -> None:
    """Once, two failed runs ended alike whatever their errors were."""
    for name, error in (("a", ValueError("x")), ("b", KeyError("x"))):
        with pytest.raises(type(error)), store.start_run(name) as run:
            run.log_metrics({"loss": 1.0})
            raise error
    found = judge(store.run("a"), store.run("b"))
    assert found.level == "different"
    assert "the first failed with ValueError: x" in found.reasons[0]


def test_a_series_of_numpy_is_compared_as_it_lies(store: Store) -> None:
    """Bits are compared, also those of NaN and infinities."""
    values = np.array([0.1, np.nan, np.inf, -np.inf])
    for name in "ab":
        with store.start_run(name) as run:
            for value in values:
                run.log_metrics({"loss": value})
    assert judge(store.run("a"), store.run("b")).level == "bit-identical"
