"""Displays of scikit-learn: what they plot is kept as media of the run of the estimator that they show."""

import inspect
import json
from typing import Any

import matplotlib.pyplot
import numpy as np
import pytest
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import make_classification
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ConfusionMatrixDisplay, DetCurveDisplay, PrecisionRecallDisplay, RocCurveDisplay
from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay, cross_validate

import runlore
from runlore import Store
from runlore.store.runs import RecordedRun

X, y = make_classification(200, random_state=0)
X_train, X_test, y_train, y_test = X[:100], X[100:], y[:100], y[100:]
X_other, y_other = X[50:150], y[50:150]


@pytest.fixture(autouse=True)
def figures() -> Any:
    matplotlib.pyplot.switch_backend("Agg")
    yield
    matplotlib.pyplot.close("all")


def media(run: RecordedRun) -> dict[str, Any]:
    return {item.media: json.loads(item.read_bytes()) for item in run.artifacts if item.media}


def test_what_is_plotted_of_an_estimator_goes_to_its_run(autologged: Store) -> None:
    model = LogisticRegression().fit(X_train, y_train)
    shown = [RocCurveDisplay.from_estimator(model, X_test, y_test)]
    RocCurveDisplay.from_estimator(model, X=X_other, y=y_other)
    matrix = ConfusionMatrixDisplay.from_estimator(model, X_train, y_train)
    PrecisionRecallDisplay.from_estimator(model, X_test, y_test)
    DetCurveDisplay.from_estimator(model, X_test, y_test)
    CalibrationDisplay.from_estimator(model, X_test, y_test, n_bins=3)
    (run,) = autologged.runs()
    found = media(run)
    assert set(found) == {
        "test_roc_curve", "test_roc_curve/other", "train_confusion_matrix", "test_precision_recall_curve",
        "test_det_curve", "test_calibration_curve",
    }  # fmt: skip
    (curve,) = found["test_roc_curve"]["classes"]
    assert curve["name"] == f"LogisticRegression (AUC {shown[0].roc_auc:.4g})"
    assert np.array_equal(curve["x"], shown[0].fpr)
    assert np.array_equal(curve["y"], shown[0].tpr)
    assert found["test_roc_curve"]["x"] == "false positive rate"
    assert found["train_confusion_matrix"] == {"labels": ["0", "1"], "matrix": matrix.confusion_matrix.tolist()}
    assert len(found["test_calibration_curve"]["classes"][0]["x"]) <= 3
    assert run.missing == []


def test_what_is_plotted_of_predictions_goes_to_the_open_run(autologged: Store) -> None:
    model = LogisticRegression().fit(X_train, y_train)
    scores = model.predict_proba(X_test)[:, 1]
    RocCurveDisplay.from_predictions(y_test, scores)  # of no run that we know
    with runlore.start_run("mine"):
        display = RocCurveDisplay.from_predictions(y_test, scores, name="mine")
        display.plot()  # the same once more
        ConfusionMatrixDisplay(np.array([[3, 1], [0, 2]]), display_labels=["cat", "dog"]).plot()
    found = autologged.run("mine")
    assert [item.media for item in found.artifacts if item.media] == ["roc_curve", "confusion_matrix"]
    assert media(found)["confusion_matrix"] == {"labels": ["cat", "dog"], "matrix": [[3, 1], [0, 2]]}


@pytest.mark.filterwarnings("error")
def test_what_is_too_large_for_a_page_is_told_in_the_run_only(autologged: Store) -> None:
    with runlore.start_run("mine"):
        ConfusionMatrixDisplay(np.ones((101, 101), int)).plot(include_values=False)
    found = autologged.run("mine")
    assert [item["what"] for item in found.missing] == ["media confusion_matrix"]


def test_validations_are_kept_with_a_curve_each(autologged: Store) -> None:
    with runlore.start_run("mine"):
        LearningCurveDisplay.from_estimator(LogisticRegression(), X, y, cv=2)
        validated = ValidationCurveDisplay.from_estimator(
            LogisticRegression(), X, y, param_name="C", param_range=[0.1, 1.0], cv=2
        )
        results = cross_validate(LogisticRegression(), X, y, cv=2, return_estimator=True, return_indices=True)
        RocCurveDisplay.from_cv_results(results, X, y)
    found = media(autologged.run("mine"))
    assert [item["name"] for item in found["learning_curve"]["classes"]] == ["train", "test"]
    train, _ = found["validation_curve"]["classes"]
    assert (train["x"], found["validation_curve"]["x"]) == ([0.1, 1.0], "C")
    assert train["y"] == validated.train_scores.mean(axis=1).tolist()
    assert len(found["roc_curve"]["classes"]) == 2


def test_displays_are_as_they_were(store: Store) -> None:
    names = ("plot", "from_estimator")
    before = [vars(RocCurveDisplay)[name] for name in names]
    signature = inspect.signature(RocCurveDisplay.from_estimator)
    with runlore.autolog("sklearn"):
        assert not any(vars(RocCurveDisplay)[name] is method for name, method in zip(names, before, strict=True))
        assert inspect.signature(RocCurveDisplay.from_estimator) == signature
        with pytest.raises(NotFittedError) as raised:
            RocCurveDisplay.from_estimator(LogisticRegression(), X, y)
        assert "runlore_sklearn" not in "".join(str(entry.path) for entry in raised.traceback)
    assert all(vars(RocCurveDisplay)[name] is method for name, method in zip(names, before, strict=True))
    RocCurveDisplay.from_estimator(LogisticRegression().fit(X, y), X, y)
    assert list(store.runs()) == []
