"""Estimators within scikit-learn's own: one fit is one run, whoever of the two integrations records it."""

from typing import Any

import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore_catboost import RunloreCallback
from tests.catboost.models import classifier, only, rows, steps_of


@pytest.mark.parametrize("both", [("catboost",), ("sklearn", "catboost"), ("catboost", "sklearn")])
def test_a_fit_is_one_run(store: Store, both: Any) -> None:
    with runlore.autolog(*both):
        classifier().fit(*rows(), eval_set=rows(60, 2))
    run = only(store)
    assert (run.tags["integration"], run.tags["estimator"]) == ("catboost", "CatBoostClassifier")
    assert steps_of(run.metrics["validation/Logloss"]) == [0, 1, 2, 3, 4]


def test_a_pipeline_has_the_iterations_of_its_last_step(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "catboost"):
        make_pipeline(StandardScaler(), classifier()).fit(x, y, catboostclassifier__eval_set=[(x, y)])
    run = only(store)
    assert run.tags["estimator"] == "Pipeline"
    assert steps_of(run.metrics["validation/Logloss"]) == [0, 1, 2, 3, 4]


@pytest.mark.shows("catboost", "search trees")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_is_a_tree_without_loose_fits(store: Store, jobs: int) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "catboost"):
        GridSearchCV(classifier(), {"depth": [2, 3]}, cv=2, n_jobs=jobs).fit(x, y)
        cross_val_score(classifier(), x, y, cv=2)
    assert [len(run.children) for run in store.runs("parent is None")] == [2, 2]
    assert len(store.runs()) == 6


def test_the_best_params_of_a_search_by_catboost_are_a_fit(store: Store) -> None:
    with runlore.autolog("catboost"):
        found = classifier().grid_search({"depth": [1, 2]}, *rows(), cv=2, verbose=False)
    assert only(store).params["depth"] == found["params"]["depth"]


def test_what_the_callback_is_told_counts_where_autolog_records_the_estimator(store: Store) -> None:
    """The run that scikit-learn's autolog began had no name, experiment and tags of it."""
    ours = RunloreCallback("mine", experiment="digits", tags={"team": "vision"})
    with runlore.autolog():
        model = make_pipeline(StandardScaler(), classifier())
        model.fit(*rows(), catboostclassifier__callbacks=[ours])
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"]) == ("mine", "digits", "vision")
    assert run.tags["integration"] == "sklearn"
