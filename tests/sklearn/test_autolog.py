"""Autologging scikit-learn: what is recorded, and that nothing else changes."""

import inspect
import pickle
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import runlore
from runlore import Store
from runlore.errors import SettingError
from tests.process import Process

X, Y = load_iris(return_X_y=True)


@pytest.fixture
def autologged(store: Store) -> Iterator[Store]:
    with runlore.autolog("sklearn"):
        yield store


class Own(ClassifierMixin, BaseEstimator):
    """Somebody's own estimator."""

    def __init__(self, shift: float = 0.0, fail: bool = False) -> None:
        self.shift = shift
        self.fail = fail

    def fit(self, X: Any, y: Any) -> "Own":
        if self.fail:
            raise RuntimeError("the data is cursed")
        self.classes_ = np.unique(y)
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.classes_[0])


def test_one_fit_is_one_run_with_params_metrics_and_model(autologged: Store) -> None:
    model = LogisticRegression(C=0.5, max_iter=300).fit(X, Y)
    (run,) = autologged.runs()
    assert run.status == "finished"
    assert run.params["C"] == 0.5
    assert run.params["max_iter"] == 300
    assert run.tags == {"integration": "sklearn", "estimator": "LogisticRegression"}
    assert run.metrics["train_score"].last == model.score(X, Y)
    assert run.metrics["n_iter"].last == model.n_iter_[0]
    assert 0 < run.metrics["fit_seconds"].last < 60
    kept = pickle.loads(run.artifact("model.pkl").read_bytes())
    assert (kept.coef_ == model.coef_).all()


def test_a_kept_model_loads_where_runlore_is_not_installed(
    autologged: Store, python: Callable[..., Process], tmp_path: Any
) -> None:
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    autologged.runs()[0].artifact("model.pkl").restore(tmp_path)
    printed = python("""
        import sys
        sys.modules["runlore"] = sys.modules["runlore_sklearn"] = None
        import pickle
        print(pickle.load(open("model.pkl", "rb")).predict([[5.1, 3.5, 1.4, 0.2]]))
    """).succeed()
    assert printed == "[0]\n"


def test_a_pipeline_is_one_run_with_the_params_of_its_steps(autologged: Store) -> None:
    make_pipeline(StandardScaler(), LogisticRegression(C=2)).fit(X, Y)
    (run,) = autologged.runs()
    assert run.params["logisticregression__C"] == 2
    assert run.params["standardscaler"] == "StandardScaler"
    assert run.params["steps"] == ["standardscaler", "logisticregression"]
    assert len(run.children) == 0


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_ensemble_is_one_run(autologged: Store, n_jobs: int) -> None:
    parts = [("a", LogisticRegression(max_iter=500)), ("b", DummyClassifier())]
    VotingClassifier(parts, n_jobs=n_jobs).fit(X, Y)
    assert len(autologged.runs()) == 1


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_grid_search_is_a_parent_and_a_child_per_candidate(autologged: Store, n_jobs: int) -> None:
    search = GridSearchCV(SVC(), {"C": [0.1, 1, 10]}, cv=2, n_jobs=n_jobs).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    assert parent.metrics["best_score"].last == search.best_score_
    assert parent.params["best.C"] == search.best_params_["C"]
    children = list(parent.children)
    assert [child.params["C"] for child in children] == [0.1, 1, 10]
    results = search.cv_results_
    for place, child in enumerate(children):
        folds = [results[f"split{fold}_test_score"][place] for fold in (0, 1)]
        assert child.metrics["split_test_score"].values.tolist() == folds
        assert child.metrics["mean_test_score"].last == results["mean_test_score"][place]
        assert child.metrics["std_test_score"].last == results["std_test_score"][place]
        assert child.metrics["rank_test_score"].last == results["rank_test_score"][place]
    assert len(autologged.runs()) == 4


def test_fits_in_the_threads_of_a_pool_belong_to_the_outer_fit(autologged: Store) -> None:
    with joblib.parallel_config("threading", n_jobs=2):
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}, cv=3).fit(X, Y)
        VotingClassifier([("a", LogisticRegression(max_iter=500)), ("b", DummyClassifier())]).fit(X, Y)
        BaggingClassifier(DummyClassifier(), n_estimators=4).fit(X, Y)
    assert len(autologged.runs("parent is None")) == 3
    assert len(autologged.runs()) == 5


def test_a_candidate_that_cannot_be_fitted_is_kept_as_failed(autologged: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        GridSearchCV(Own(), {"fail": [False, True]}, cv=2).fit(X, Y)
    good, bad = autologged.runs("parent is None")[0].children
    assert (good.status, bad.status) == ("finished", "failed")
    assert np.isnan(bad.metrics["mean_test_score"].last)


def test_several_metrics_of_a_random_search_are_told_apart(autologged: Store) -> None:
    RandomizedSearchCV(
        LogisticRegression(max_iter=500), {"C": [0.1, 1, 10]}, n_iter=2, cv=2, scoring=["accuracy", "f1_macro"],
        refit="accuracy", random_state=0,
    ).fit(X, Y)  # fmt: skip
    child = autologged.runs("parent is None")[0].children[0]
    assert {"split_test_accuracy", "split_test_f1_macro", "mean_test_accuracy", "rank_test_f1_macro"} <= set(
        child.metrics
    )


def test_a_score_on_other_data_belongs_to_the_run_that_fitted(autologged: Store) -> None:
    features, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features[:400], target[:400])
    other = RandomForestClassifier(n_estimators=5, random_state=0).fit(features[:400], target[:400])
    score = model.score(features[400:], target[400:])
    model.score(features[500:], target[500:])
    other.score(features[400:], target[400:])
    run = autologged.runs("tags.estimator == 'Pipeline'")[0]
    assert run.metrics["test_score"].values[0] == score
    assert run.metrics["test_score"].count == 2
    assert run.metrics["test_score"].split == "test"
    assert autologged.runs("tags.estimator == 'RandomForestClassifier'")[0].metrics["test_score"].count == 1
    assert len(autologged.runs()) == 2


def test_a_transformer_alone_makes_no_run_and_a_clustering_does(autologged: Store) -> None:
    StandardScaler().fit_transform(X)
    PCA(2).fit(X)
    assert len(autologged.runs()) == 0
    KMeans(3, n_init=1).fit(X)
    assert len(autologged.runs()) == 1


def test_an_estimator_of_ones_own_is_recorded_when_made_before_or_after(autologged: Store) -> None:
    class Later(Own):
        def fit(self, X: Any, y: Any) -> "Later":
            super().fit(X, y)
            return self

    Own(shift=1.5).fit(X, Y)
    Later(shift=2.5).fit(X, Y)
    assert [run.params["shift"] for run in autologged.runs()] == [2.5, 1.5]


def test_a_fit_that_raises_fails_its_run_with_the_same_exception(autologged: Store) -> None:
    with pytest.raises(RuntimeError, match="the data is cursed"):
        Own(fail=True).fit(X, Y)
    with pytest.raises(ValueError, match="'C' parameter"):
        LogisticRegression(C=-1).fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["failed", "failed"]
    error = autologged.runs()[1].error
    assert error is not None
    assert (error["type"], error["message"]) == ("RuntimeError", "the data is cursed")


def test_a_fit_joins_the_run_that_the_user_opened(autologged: Store) -> None:
    with autologged.start_run("mine") as run:
        LinearRegression().fit(X, Y)
        assert not run.ended
        run.log_metrics({"own": 1.0})
    (found,) = autologged.runs()
    assert found.name == "mine"
    assert {"own", "train_score"} <= set(found.metrics)


def test_two_fits_in_one_run_of_the_user_never_mix(autologged: Store) -> None:
    with autologged.start_run("mine"):
        first = SVC(C=0.01).fit(X, Y)
        second = LogisticRegression(max_iter=500).fit(X, Y)
        scores = [first.score(X[::2], Y[::2]), second.score(X[::2], Y[::2])]
    mine = autologged.run("mine")
    (child,) = mine.children
    assert mine.tags["estimator"] == "SVC"
    assert ("kernel" in mine.params, "l1_ratio" in mine.params) == (True, False)
    assert child.params["max_iter"] == 500
    assert [run.metrics["test_score"].values.tolist() for run in (mine, child)] == [[scores[0]], [scores[1]]]


def test_two_threads_make_two_runs_without_crossed_points(autologged: Store) -> None:
    def work(depth: int) -> None:
        RandomForestClassifier(n_estimators=10, max_depth=depth, random_state=0).fit(X, Y)

    threads = [threading.Thread(target=work, args=(depth,)) for depth in (1, 2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    runs = autologged.runs(sort="params.max_depth")
    assert [run.params["max_depth"] for run in runs] == [1, 2, 3, 4]
    assert {run.metrics["train_score"].count for run in runs} == {1}


def attributes() -> list[Any]:
    classes = (BaseEstimator, LogisticRegression, Pipeline, GridSearchCV, ClassifierMixin, Own)
    found = [cls.__dict__.get(name) for cls in classes for name in ("fit", "score", "__init_subclass__")]
    return [getattr(item, "fn", item) for item in found]


def test_disabling_puts_the_very_same_attributes_back() -> None:
    before = attributes()
    handle = runlore.autolog()
    again = runlore.autolog()
    during = attributes()
    assert any(now is not then for now, then in zip(during, before, strict=True))
    again.disable()
    assert all(now is then for now, then in zip(attributes(), before, strict=True))
    handle.disable()
    assert sys.meta_path[0].__class__.__name__ != "_AfterImport"


def test_a_block_inside_autolog_leaves_it_on(store: Store) -> None:
    handle = runlore.autolog()
    with runlore.autolog():
        LinearRegression().fit(X, Y)
    LinearRegression().fit(X, Y)
    handle.disable()
    LinearRegression().fit(X, Y)
    assert len(store.runs()) == 2


def test_it_works_before_and_after_the_import(store: Store, python: Callable[..., Process]) -> None:
    fit = "from sklearn.linear_model import LinearRegression; LinearRegression().fit([[0.0], [1.0]], [0, 1])"
    python(f"import runlore; runlore.autolog(); {fit}").succeed()
    python(f"import sklearn.base, runlore; runlore.autolog(); {fit}").succeed()
    python(f"{fit}; import runlore; runlore.autolog(); {fit}").succeed()
    assert len(store.runs()) == 3
    python(f"import runlore; runlore.autolog(); {fit}", RUNLORE_DISABLED="sklearn").succeed()
    assert len(store.runs()) == 3


def test_an_unknown_framework_is_named() -> None:
    with pytest.raises(SettingError, match="did you mean 'sklearn'"):
        runlore.autolog("sklern")


def outcome(factory: Callable[[], Any]) -> dict[str, Any]:
    """Everything about a fit that must not depend on us."""
    random.seed(0)
    np.random.seed(0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = factory()
        model.fit(X, Y)
    state: Any = np.random.get_state()
    return {
        "pickle": pickle.dumps(model),
        "vars": sorted(vars(model)),
        "repr": repr(model),
        "params": repr(model.get_params()),
        "signature": str(inspect.signature(model.fit)),
        "doc": model.fit.__doc__,
        "clone": repr(clone(model)),
        "warnings": [(item.category, str(item.message)) for item in caught],
        "random": (random.random(), state[1].tolist()),
    }


@pytest.mark.parametrize(
    "factory",
    [
        lambda: LogisticRegression(max_iter=3),
        lambda: RandomForestClassifier(n_estimators=5),
        lambda: make_pipeline(StandardScaler(), SVC(probability=False)),
        lambda: DummyClassifier(strategy="stratified"),
        lambda: Own(shift=1),
    ],
)
def test_a_fit_is_the_same_with_and_without(store: Store, factory: Callable[[], Any]) -> None:
    without = outcome(factory)
    with runlore.autolog():
        recorded = outcome(factory)
    assert recorded == without
    assert len(store.runs()) == 1


class Nasty(Own):
    """Breaks everything that a tracker may touch."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise RuntimeError("no params for you")

    def __getstate__(self) -> Any:
        raise RuntimeError("no pickle for you")

    def score(self, *args: Any, **kwargs: Any) -> float:
        raise RuntimeError("no score for you")


def test_an_estimator_that_breaks_everything_is_fitted_and_the_rest_recorded(autologged: Store) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # the run tells it; training is not disturbed
        model = Nasty().fit(X, Y)
    assert model.classes_.tolist() == [0, 1, 2]
    (run,) = autologged.runs()
    assert run.status == "finished"
    assert any("can't be pickled" in item["why"] for item in run.missing)
    assert any("no params for you" in item["why"] for item in run.missing)


def test_a_store_that_cannot_be_made_costs_no_fit(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNLORE_STORE", str(tmp_path / "file" / "store"))
    with runlore.autolog(), pytest.warns(runlore.RunloreWarning) as caught:
        model = LinearRegression().fit(X, Y)
    assert len(caught) == 1
    assert model.coef_.shape == (4,)


def test_the_estimators_own_random_state_is_not_used_up(store: Store) -> None:
    def predict() -> list[int]:
        model = DummyClassifier(strategy="uniform", random_state=np.random.RandomState(3)).fit(X, Y)
        return list(model.predict(X))

    without = predict()
    with runlore.autolog():
        assert predict() == without


def test_ctrl_c_while_the_score_is_computed_ends_the_run_and_not_the_recording(autologged: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        Interrupted().fit(X, Y)
    LinearRegression().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]


class Interrupted(Own):
    def score(self, *args: Any, **kwargs: Any) -> float:
        raise KeyboardInterrupt


def test_a_kept_method_records_nothing_after_disabling(store: Store) -> None:
    with runlore.autolog():
        fit = LinearRegression().fit
    fit(X, Y)
    assert len(store.runs()) == 0


MAIN = """
import sys
import runlore
runlore.autolog()
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV

class Mine(ClassifierMixin, BaseEstimator):
    def __init__(self, shift=1):
        self.shift = shift
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self
    def predict(self, X):
        return np.full(len(X), self.classes_[0])

X, y = load_iris(return_X_y=True)
search = GridSearchCV(Mine(), {"shift": [1, 2]}, cv=3, n_jobs=2).fit(X, y)
import cloudpickle
open("mine.pkl", "wb").write(cloudpickle.dumps(Mine()))
"""


def test_a_class_of_the_script_goes_to_workers_and_to_pickles_that_know_nothing_of_us(
    store: Store, python: Callable[..., Process]
) -> None:
    python(MAIN).succeed()
    assert [run.status for run in store.runs("parent is None")] == ["finished"]
    assert len(store.runs("parent is not None")) == 2
    printed = python("""
        import sys
        sys.modules["runlore"] = sys.modules["runlore_sklearn"] = None
        import pickle
        model = pickle.load(open("mine.pkl", "rb"))
        print(model.fit([[1.0], [2.0]], [5, 6]).predict([[1.0]]), model.score([[1.0]], [5]))
    """).succeed()
    assert printed == "[5] 1.0\n"
