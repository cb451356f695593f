"""The parameters of an estimator are on record, each for itself."""

from typing import Any

import numpy as np
import pytest
from scipy.stats import loguniform, randint
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from runlore import Store
from tests.sklearn.models import Own, X, Y


@pytest.mark.shows("sklearn", "params")
def test_a_pipeline_is_one_run_with_the_params_of_its_steps(autologged: Store) -> None:
    make_pipeline(StandardScaler(), LogisticRegression(C=2)).fit(X, Y)
    (run,) = autologged.runs()
    assert run.params["logisticregression__C"] == 2
    assert run.params["standardscaler"] == "StandardScaler"
    assert run.params["steps"] == ["standardscaler", "logisticregression"]
    assert len(run.children) == 0


def test_params_that_look_like_steps_and_ones_that_raise_cost_no_others(autologged: Store) -> None:
    """A list of tuples was taken for the steps of a pipeline, and a value that raises cost all params."""

    class Holder(Own):
        def __init__(self, a: Any = 1, b: Any = None) -> None:
            self.a, self.b = a, b

        def fit(self, X: Any, y: Any) -> "Holder":
            self.classes_ = np.unique(y)
            return self

    class Bad:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("nothing here")

    HistGradientBoostingClassifier(max_iter=2, interaction_cst=[(0, 1), (2, 3)]).fit(X, Y)
    Holder(b=[()]).fit(X, Y)
    Holder(b=Bad()).fit(X, Y)
    raising, empty, boosting = autologged.runs()
    assert boosting.params["interaction_cst"] == [[0, 1], [2, 3]]
    assert (empty.params["a"], raising.params["a"]) == (1, 1)


def test_arguments_that_were_written_are_told_from_defaults(autologged: Store) -> None:
    RandomForestClassifier(n_estimators=5, max_features=0.5).fit(X, Y)
    make_pipeline(StandardScaler(), LogisticRegression(C=2)).fit(X, Y)
    GridSearchCV(LogisticRegression(max_iter=500), {"C": [1, 2]}, cv=2).fit(X, Y)
    search, pipeline, forest = (run for run in autologged.runs("parent is None"))

    def passed(run: Any) -> set[str]:
        return {key for key in run.params if key not in run.captured}

    assert passed(forest) == {"n_estimators", "max_features"}
    assert passed(pipeline) == {"steps", "standardscaler", "logisticregression", "logisticregression__C"}
    assert passed(search) == {"estimator", "estimator__max_iter", "param_grid", "cv"}
    assert {"best.C", "sklearn_version", "estimator__C", "refit"} <= search.captured
    assert passed(search.children[0]) == {"C"}


def test_a_grid_has_no_address_in_it(autologged: Store) -> None:
    """Two searches over the same distributions differed by an address."""

    def search(law: Any) -> RandomizedSearchCV:
        made = make_pipeline(FunctionTransformer(), LogisticRegression(max_iter=300))
        grid = {"logisticregression__C": law, "functiontransformer": [FunctionTransformer(lambda v: v)]}
        return RandomizedSearchCV(made, grid, n_iter=1, cv=2, random_state=0).fit(X, Y)

    search(loguniform(0.1, scale=2, b=10))
    search(randint(1, 4))
    texts = [run.params["param_distributions"] for run in autologged.runs("parent is None")]
    assert all("0x" not in text for text in texts)
    assert ["randint(1, 4)" in texts[0], "loguniform(0.1, scale=2, b=10)" in texts[1]] == [True, True]
