"""Tables, histograms and the curves of classifiers, compared with those of numpy and scikit-learn."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runlore
from runlore import Store
from runlore.media.numbers import MAX_CURVES, confusion, curves, histogram
from runlore.media.tables import MAX_COLUMNS, MAX_ROWS, taken


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pl.DataFrame({"a": [1, 2], "b": ["x", None]}),
        {"a": [1, 2], "b": ["x"]},
        {"a": np.array([1, 2]), "b": ["x", None]},
        [{"a": 1, "b": "x"}, {"a": 2}],
    ],
)
def test_a_table_is_the_same_from_whatever_form(given: Any) -> None:
    table = taken(given)
    rows = table.document()["rows"]
    assert (table.columns, table.losses) == (["a", "b"], [])
    assert rows[0] == [1, "x"]
    assert rows[1][0] == 2
    assert rows[1][1] in (None, "None", "nan")


def test_rows_without_names_are_numbered_and_cells_are_plain() -> None:
    odd = [1 << 60, math.nan, np.float32(0.5), object, [1, 2], True]
    document = taken([odd, [1]]).document()
    rows = document["rows"]
    assert document["columns"] == [f"column {place}" for place in range(6)]
    assert rows[0] == [str(1 << 60), "nan", 0.5, "<class 'object'>", "[1, 2]", True]
    assert rows[1] == [1, None, None, None, None, None]


def test_of_a_large_table_the_beginning_is_kept_and_the_rest_told(store: Store) -> None:
    wide = {f"c{place}": [1] for place in range(MAX_COLUMNS + 3)}
    with store.start_run("large") as run:
        run.log_table("long", pd.DataFrame({"a": range(1_000_000)}))
        run.log_table("wide", wide)
        with pytest.warns(runlore.RunloreWarning, match="an int is no table"):
            run.log_table("none", 3)
    found = store.run(run.id)
    long, wider = (json.loads(item.read_bytes()) for item in found.artifacts if item.media)
    assert len(long["rows"]) == MAX_ROWS
    assert len(wider["columns"]) == MAX_COLUMNS
    why = {item["what"]: item["why"] for item in found.missing}
    assert why["media long"] == "990,000 of 1,000,000 rows left out"
    assert why["media wide"] == "3 of 203 columns left out"


@given(st.lists(st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf]), max_size=100), st.integers(1, 64))
def test_a_histogram_counts_every_number_once(values: list[float], bins: int) -> None:
    found = histogram(np.array(values, dtype=np.float64), bins)
    finite = [value for value in values if math.isfinite(value)]
    assert sum(found["counts"]) == len(finite)
    assert found.get("not_finite", 0) == len(values) - len(finite)
    if finite:
        assert found["edges"] == pytest.approx(np.histogram_bin_edges(finite, bins).tolist())


def test_a_histogram_of_too_many_bins_is_refused(store: Store) -> None:
    with store.start_run("bins") as run, pytest.warns(runlore.RunloreWarning, match="bins is 0: it is from 1 to 512"):
        run.log_histogram("x", [1.0], bins=0)


def test_a_confusion_matrix_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(0)
    true, predicted = (chance.choice(["cat", "dog", "cow"], 300).tolist() for _ in range(2))
    found = confusion(true, predicted, ["cat", "dog", "cow"])
    assert found["matrix"] == metrics.confusion_matrix(true, predicted, labels=["cat", "dog", "cow"]).tolist()
    assert confusion([0, 1], [1, 1], ["no", "yes"]) == {"labels": ["no", "yes"], "matrix": [[0, 1], [0, 1]]}
    assert confusion([True, False], [True, True], None) == {"labels": ["False", "True"], "matrix": [[0, 1], [0, 1]]}
    with pytest.raises(ValueError, match="2 true labels and 1 predicted"):
        confusion([1, 2], [1], None)


def test_curves_have_the_areas_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(1)
    true = chance.integers(0, 2, 500)
    scores = np.round(true * 0.3 + chance.random(500), 2)  # some are equal
    (roc,) = curves("roc", true.tolist(), scores, None)
    (pr,) = curves("pr", true.tolist(), scores, None)
    assert roc["area"] == pytest.approx(metrics.roc_auc_score(true, scores))
    assert pr["area"] == pytest.approx(metrics.average_precision_score(true, scores))
    assert (roc["x"][0], roc["y"][0], roc["x"][-1], roc["y"][-1]) == (0, 0, 1, 1)
    several = chance.random((500, 3))
    classes = chance.integers(0, 3, 500)
    found = curves("roc", classes.tolist(), several, ["a", "b", "c"])
    expected = [metrics.roc_auc_score(classes == place, several[:, place]) for place in range(3)]
    assert [item["name"] for item in found] == ["a", "b", "c"]
    assert [item["area"] for item in found] == pytest.approx(expected)
    with pytest.raises(ValueError, match="no negative label"):
        curves("roc", [1, 1], np.array([0.1, 0.2]), [0, 1])


def test_the_verbs_keep_what_they_compute(store: Store) -> None:
    with store.start_run("verbs") as run:
        run.log_confusion_matrix("confusion", [0, 1], [0, 0], step=2)
        run.log_roc_curve("roc", [0, 1], [0.1, 0.9], step=2)
        run.log_pr_curve("pr", [0, 1], [0.1, 0.9], step=2)
    found = [item for item in store.run(run.id).artifacts if item.media]
    assert [(item.kind, item.step) for item in found] == [("matrix", 2), ("curve", 2), ("curve", 2)]
    assert [json.loads(item.read_bytes()).get("curve") for item in found] == [None, "roc", "pr"]


def test_curves_of_known_points_are_kept_with_what_their_axes_are(store: Store) -> None:
    with store.start_run("points") as run:
        points = {
            "forest": (np.linspace(0, 1, 5_000), np.linspace(1, 3, 5_000)),
            "svm": ([0.1, math.nan, 1], [1, 2, 3]),
        }
        run.log_curves("calibration", points, x="predicted", y="true")
        run.log_curves("many", {str(number): ([0], [1]) for number in range(MAX_CURVES + 2)})
        run.log_curves("uneven", {"a": ([0, 1], [1])})
        run.log_curves("none", 3)  # type: ignore[arg-type]
    found = store.run("points")
    kept = json.loads(found.artifact("calibration.json").read_bytes())
    assert (kept["curve"], kept["x"], kept["y"]) == ("lines", "predicted", "true")
    forest, svm = kept["classes"]
    assert (len(forest["x"]), forest["x"][0], forest["y"][-1]) == (400, 0, 3)
    assert svm == {"name": "svm", "x": [0.1, 1], "y": [1, 3]}
    missing = {item["what"]: item["why"] for item in found.missing}
    assert "1 points of curve 'svm' left out" in missing["media calibration"]
    assert "2 of 22 curves left out" in missing["media many"]
    assert "x of shape (2,) and y of shape (1,)" in missing["media uneven"]
    assert "media none" in missing


def test_a_confusion_matrix_may_be_counted_already(store: Store) -> None:
    with store.start_run("counted") as run:
        run.log_confusion_matrix("shares", matrix=np.array([[0.25, 0.75], [0, 1]]), labels=["cat", "dog"])
        run.log_confusion_matrix("counts", matrix=[[3, 1], [0, 2]])
        run.log_confusion_matrix("nan", matrix=[[math.nan]])
        run.log_confusion_matrix("uneven", matrix=[[1, 2]])
        run.log_confusion_matrix("both", [0], [1], matrix=[[1]])
        run.log_confusion_matrix("neither")
    found = store.run("counted")
    assert json.loads(found.artifact("shares.json").read_bytes()) == {
        "labels": ["cat", "dog"],
        "matrix": [[0.25, 0.75], [0, 1]],
    }
    assert json.loads(found.artifact("counts.json").read_bytes())["labels"] == ["0", "1"]
    missing = {item["what"]: item["why"] for item in found.missing}
    assert {what.partition(" ")[2] for what in missing} == {"nan", "uneven", "both", "neither"}
    assert "shape (1, 2)" in missing["media uneven"]
