"""Which run a fitted estimator and its parts belong to."""

from pathlib import Path

import joblib
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from runlore import Store
from runlore.provenance.origins import which_run
from tests.sklearn.models import X, Y


def test_a_second_fit_is_a_second_run_that_is_linked_to_the_first(autologged: Store) -> None:
    model = LogisticRegression(max_iter=300).fit(X, Y)
    model.set_params(C=2).fit(X, Y)
    second, first = autologged.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert (first.links, first.params["C"], second.params["C"]) == ([], 1.0, 2)


def test_parts_of_a_fitted_estimator_lead_to_its_run_however_deep_they_are_dumped(
    autologged: Store,
    tmp_path: Path,
) -> None:
    """The best estimator of a search, or a step of it, led to no run."""
    search = GridSearchCV(make_pipeline(StandardScaler(), LogisticRegression()), {"logisticregression__C": [1]}, cv=2)
    search.fit(X, Y)
    other = DummyClassifier().fit(X, Y)
    joblib.dump(search.best_estimator_, tmp_path / "best")
    joblib.dump({"a": [("m", search.best_estimator_[-1])], "b": other}, tmp_path / "both")
    (best,) = which_run(autologged, tmp_path / "best").found
    assert best.run == autologged.runs("tags.estimator == 'GridSearchCV'")[0].id
    assert len(which_run(autologged, tmp_path / "both").found) == 2
    search.best_estimator_.score(X[::2], Y[::2])
    assert autologged.run(best.run).metrics["test_score"].count == 1


def test_parts_that_were_fitted_before_keep_their_runs_and_are_linked(autologged: Store) -> None:
    """The score of a model on its own went to the run of whatever had used it since."""
    base = LogisticRegression(max_iter=500).fit(X, Y)
    stack = StackingClassifier([("base", base)], DummyClassifier(), cv="prefit").fit(X, Y)
    CalibratedClassifierCV(FrozenEstimator(base), cv=2).fit(X, Y)
    base.score(X[::2], Y[::2])
    stack.score(X[::3], Y[::3])
    calibrated, stacked, first = autologged.runs()
    assert [run.metrics.get("test_score") is not None for run in (calibrated, stacked, first)] == [False, True, True]
    assert [run.links for run in (stacked, calibrated)] == [[{"kind": "uses", "run": first.id}]] * 2


def test_steps_that_are_fitted_again_belong_to_the_new_run(autologged: Store) -> None:
    steps = [StandardScaler(), LogisticRegression(max_iter=500)]
    make_pipeline(*steps).fit(X, Y)
    make_pipeline(*steps).fit(X, Y)
    steps[1].score(X[::2], Y[::2])
    second, first = autologged.runs()
    assert (second.metrics.get("test_score") is not None, "test_score" in first.metrics) == (True, False)
    assert second.links == []
