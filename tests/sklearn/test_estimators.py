"""Every kind of estimator and of data: one run, told as far as possible, and fitted as without us."""

import copy
import io
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.decomposition import NMF, IncrementalPCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import LocalOutlierFactor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

import runlore
from runlore import RunloreWarning, Store
from runlore.provenance.origins import which_run
from runlore.store.runs import RecordedRun
from tests.sklearn.test_autolog import Own, autologged  # noqa: F401  # a fixture

X, Y = load_iris(return_X_y=True)


def only(store: Store) -> RecordedRun:
    (run,) = store.runs()
    return run


# What is told of the data and the model


def test_the_data_and_the_classes_are_told(autologged: Store) -> None:  # noqa: F811
    frame = load_breast_cancer(as_frame=True).frame
    features, target = frame.drop(columns="target"), frame["target"]
    DecisionTreeClassifier(max_depth=2).fit(features, target)
    run = only(autologged)
    assert run.data["X"]["shape"] == [569, 30]
    assert run.data["X"]["dtypes"] == "float64"
    assert run.data["X"]["columns"][0] == "mean radius"
    assert run.data["X"]["missing"] == 0
    assert len(str(run.data["X"]["fingerprint"])) == 64
    assert (run.data["y"]["classes"], run.data["y"]["n_classes"]) == ([0, 1], 2)
    assert run.params["sklearn_version"] == sklearn.__version__


def test_sample_weights_are_told_by_position_and_by_name(autologged: Store) -> None:  # noqa: F811
    weights = np.ones(len(Y))
    LinearRegression().fit(X, Y, weights)
    LinearRegression().fit(X, Y, sample_weight=weights)
    first, second = autologged.runs()
    assert first.data["sample_weight"] == second.data["sample_weight"]
    assert first.data["sample_weight"]["rows"] == 150


def test_data_that_a_fit_changes_in_place_is_described_as_it_was(autologged: Store) -> None:  # noqa: F811
    class Changing(BaseEstimator):
        def fit(self, X: Any, y: Any = None) -> "Changing":
            X[:] = 0
            return self

        def predict(self, X: Any) -> Any:
            return X

    data = X.copy()
    Changing().fit(data)
    LinearRegression().fit(X, Y)
    second, first = autologged.runs()
    assert first.data["X"]["fingerprint"] == second.data["X"]["fingerprint"]


# Kinds of estimators


@pytest.mark.parametrize(
    "fit",
    [
        lambda: GaussianMixture(2, random_state=0).fit_predict(X),
        lambda: KMeans(3, n_init=1, random_state=0).fit_predict(X),
        lambda: DBSCAN().fit_predict(X),
        lambda: LocalOutlierFactor().fit_predict(X),
        lambda: TSNE(perplexity=5, max_iter=250, random_state=0).fit_transform(X),
        lambda: make_pipeline(StandardScaler(), KMeans(3, n_init=1)).fit_predict(X),
        lambda: make_pipeline(StandardScaler(), KMeans(3, n_init=1)).fit_transform(X),
        lambda: CalibratedClassifierCV(DummyClassifier(), cv=2).fit(X, Y),
        lambda: make_pipeline(CountVectorizer(), MultinomialNB()).fit(["aa bb", "bb cc"], [0, 1]),
        lambda: KMeans(2, n_init=1).fit(X),
        lambda: DummyRegressor().fit([[1], [2]], [1.5, 2.5]),
    ],
)
def test_every_way_to_fit_makes_one_run(autologged: Store, fit: Callable[[], Any]) -> None:  # noqa: F811
    fit()
    run = only(autologged)
    assert run.status == "finished"
    assert run.data["X"]["fingerprint"]
    assert run.artifact("model.pkl").size


@pytest.mark.parametrize(
    "fit",
    [
        lambda: StandardScaler().fit_transform(X),
        lambda: NMF(2, max_iter=50, init="nndsvd", tol=0.1).fit_transform(X),
        lambda: IncrementalPCA(2).partial_fit(X),
        lambda: CountVectorizer().fit_transform(["aa bb"]),
    ],
)
def test_a_bare_transformer_makes_no_run(autologged: Store, fit: Callable[[], Any]) -> None:  # noqa: F811
    fit()
    assert len(autologged.runs()) == 0


def test_partial_fit_three_times_is_one_run_with_three_points(autologged: Store) -> None:  # noqa: F811
    model = SGDClassifier(random_state=0)
    for start in (0, 50, 100):
        model.partial_fit(X[start : start + 50], Y[start : start + 50], classes=[0, 1, 2])
    other = GaussianNB().partial_fit(X, Y, classes=[0, 1, 2])
    gaussian, sgd = autologged.runs()
    assert sgd.metrics["rows"].values.tolist() == [50, 50, 50]
    assert sgd.metrics["partial_fit_seconds"].count == 3
    assert (sgd.status, gaussian.metrics["rows"].count) == ("running", 1)
    score = model.score(X[:50], Y[:50])
    assert autologged.runs()[1].metrics["test_score"].last == score
    del model, other
    for thread in threading.enumerate():
        if thread.name == "runlore-sklearn":
            thread.join()
    assert {run.status for run in autologged.runs()} == {"finished"}
    assert len(autologged.runs()) == 2


def test_partial_fit_tells_the_loss_and_ends_at_a_new_fit_and_at_an_exception(autologged: Store) -> None:  # noqa: F811
    model = MLPClassifier((4,), random_state=0, max_iter=5)
    for _ in range(3):
        model.partial_fit(X, Y, classes=[0, 1, 2])
    assert only(autologged).metrics["loss"].count == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]
    broken = SGDClassifier().partial_fit(X, Y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="features"):
        broken.partial_fit(X[:, :2], Y)
    assert autologged.runs()[0].status == "failed"
    broken.partial_fit(X, Y)
    assert autologged.runs()[0].status == "running"
    assert len(autologged.runs()) == 4
    runlore_sklearn_forget(broken)


def runlore_sklearn_forget(estimator: Any) -> None:
    from runlore_sklearn._owners import owners

    owners().discard(estimator)


def test_partial_fit_in_a_run_of_the_user_belongs_to_it(autologged: Store) -> None:  # noqa: F811
    with autologged.start_run("mine") as run:
        model = GaussianNB()
        for _ in range(2):
            model.partial_fit(X, Y, classes=[0, 1, 2])
        assert not run.ended
    assert {run.name for run in autologged.runs("parent is None")} == {"mine"}


# Kinds of data


@pytest.mark.parametrize(
    "data",
    [
        X, pd.DataFrame(X, columns=list("abcd")), pl.DataFrame(X, schema=list("abcd")), sp.csr_matrix(X), X.tolist(),
        sp.csc_array(X), np.asfortranarray(X), X.astype("f4"),
    ],
    ids=["numpy", "pandas", "polars", "csr", "list", "csc", "fortran", "float32"],
)  # fmt: skip
def test_every_kind_of_data_is_fitted_and_described(autologged: Store, data: Any) -> None:  # noqa: F811
    DecisionTreeClassifier(random_state=0).fit(data, Y)
    run = only(autologged)
    assert run.data["X"]["shape"] == [150, 4]
    assert run.metrics["train_score"].last == 1.0


def outcome(fit: Callable[[], Any]) -> tuple[str, str]:
    """What a fit ends in: a predicting model, or an exception, and its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = repr(vars(fit()))
        except Exception as error:  # noqa: BLE001  # any: it has to be the same one
            result = f"{type(error)}: {error}"
    return result, repr([(item.category, str(item.message)) for item in caught if item.category is not RunloreWarning])


class Lenient(Own):
    """Takes any X at all."""

    def fit(self, X: Any, y: Any = None) -> "Lenient":
        self.first_ = next(iter(X)) if hasattr(X, "__next__") else None
        return self


DUPLICATES = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
MIXED = np.array([[1, "a"], [None, 2.5]], dtype=object)


@pytest.mark.parametrize(
    ("fit", "named"),
    [
        (lambda: Lenient().fit(number for number in range(3)), "data X"),
        (lambda: DummyClassifier().fit(np.empty((0, 2)), []), None),
        (lambda: LinearRegression().fit(np.empty((0, 2)), np.empty(0)), None),
        (lambda: DummyClassifier().fit(MIXED, [0, 1]), None),
        (lambda: LinearRegression().fit(MIXED, [0, 1]), None),
        (lambda: LinearRegression().fit(DUPLICATES, [0, 1]), None),
        (lambda: DummyClassifier().fit(None, [0, 1]), None),
        (lambda: LogisticRegression(C=-1).fit(X, Y), None),
        (lambda: LinearRegression().fit("text", Y), "data X"),
    ],
    ids=["generator", "empty", "empty 2", "mixed", "mixed 2", "duplicates", "none", "invalid params", "text"],
)
def test_odd_data_is_fitted_as_without_us(store: Store, fit: Callable[[], Any], named: str | None) -> None:
    without = outcome(fit)
    with runlore.autolog():
        assert outcome(fit) == without
    run = only(store)
    assert run.status == ("failed" if "<class" in without[0][:6] else "finished")
    if named:
        assert named in {item["what"] for item in run.missing}


def test_a_memory_map_is_fitted_and_described(autologged: Store, tmp_path: Path) -> None:  # noqa: F811
    mapped = np.memmap(tmp_path / "x.dat", dtype="f8", mode="w+", shape=X.shape)
    mapped[:] = X
    LinearRegression().fit(mapped, Y)
    assert only(autologged).data["X"]["kind"] == "numpy.memmap"


# Estimators that break things


class Huge(Own):
    def __init__(self, thing: Any = None) -> None:
        self.thing = thing

    def fit(self, X: Any, y: Any) -> "Huge":
        self.classes_ = np.unique(y)
        return self


class Loud:
    def __repr__(self) -> str:
        return "x" * (1 << 20)


class Silent:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Mutating(Own):
    def fit(self, X: Any, y: Any) -> "Mutating":
        super().fit(X, y)
        self.shift = 99.0
        return self


class NoParams(Own):
    def get_params(self, deep: bool = True) -> dict[str, Any]:
        raise RuntimeError("no params")


class NoPickle(Own):
    def fit(self, X: Any, y: Any) -> "NoPickle":
        super().fit(X, y)
        self.lock_ = threading.Lock()
        return self


@pytest.mark.parametrize(
    "estimator", [Huge(Loud()), Huge(Silent()), Huge({"a": Silent()}), Mutating(), NoParams(), NoPickle()]
)
def test_estimators_that_break_things_are_fitted_as_without_us(store: Store, estimator: Any) -> None:
    fresh = copy.deepcopy(estimator)
    without = fresh.fit(X, Y).predict(X[:3])
    with runlore.autolog(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert (estimator.fit(X, Y).predict(X[:3]) == without).all()
    run = only(store)
    assert run.status == "finished"
    assert run.data["X"]["rows"] == 150
    if isinstance(estimator, Huge):
        assert len(str(run.params["thing"])) < 2000
    if isinstance(estimator, Mutating):
        assert (run.params["shift"], estimator.shift) == (0.0, 99.0)
    if isinstance(estimator, NoParams):
        assert any("no params" in item["why"] for item in run.missing)
    if isinstance(estimator, NoPickle):
        assert any("can't be pickled" in item["why"] for item in run.missing)


def test_a_secret_in_an_estimator_is_nowhere_in_the_store(
    autologged: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("HUB_TOKEN", "hidden-in-the-environment")

    class Remote(Own):
        def __init__(self, api_key: str = "", endpoint: str = "") -> None:
            self.api_key = api_key
            self.endpoint = endpoint

        def fit(self, X: Any, y: Any) -> "Remote":
            self.classes_ = np.unique(y)
            return self

    globals()["Remote"] = Remote
    Remote.__qualname__ = "Remote"
    model = Remote("plain-secret-1", "https://me:plain-secret-2@example.org").fit(X, Y)
    joblib.dump(model, tmp_path / "model.joblib")
    DummyClassifier(random_state=0).fit(X, ["hidden-in-the-environment"] * 150)
    for secret in (b"plain-secret-1", b"plain-secret-2", b"hidden-in-the-environment"):
        assert not [path for path in autologged.root.rglob("*") if path.is_file() and secret in path.read_bytes()]
    run = autologged.runs("tags.estimator == 'Remote'")[0]
    assert run.params["api_key"] == "[masked]"
    assert any("holds a secret" in item["why"] for item in run.missing)
    assert run.artifact("model.joblib").stored is False


# Nothing of scikit-learn's is changed


@pytest.mark.parametrize("estimator", [LinearRegression(), DecisionTreeClassifier(), KMeans(n_init=1)])
def test_check_estimator_says_the_same(store: Store, estimator: Any) -> None:
    def results() -> list[tuple[str, str]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = check_estimator(clone(estimator), on_fail=None)
        return [(item["check_name"], item["status"]) for item in found]

    without = results()
    with runlore.autolog():
        assert results() == without
    assert len(store.runs("status == 'running'")) == 0


def test_metadata_routing_and_set_output_work_as_ever(autologged: Store) -> None:  # noqa: F811
    with sklearn.config_context(enable_metadata_routing=True):
        model = make_pipeline(
            StandardScaler().set_fit_request(sample_weight=False).set_transform_request(copy=False),
            LinearRegression().set_fit_request(sample_weight=True),
        )
        model.fit(X, Y, sample_weight=np.ones(len(Y)))
    scaler = make_pipeline(StandardScaler().set_output(transform="pandas"), KMeans(2, n_init=1))
    scaler.fit(pd.DataFrame(X, columns=list("abcd")))
    assert list(scaler[0].transform(pd.DataFrame(X, columns=list("abcd"))).columns) == list("abcd")
    assert len(autologged.runs()) == 2


# Files that are written of a model


def test_what_joblib_dumps_leads_back_to_the_run(autologged: Store, tmp_path: Path) -> None:  # noqa: F811
    model = DummyClassifier().fit(X, Y)
    other = DecisionTreeClassifier().fit(X, Y)
    assert joblib.dump(model, tmp_path / "m.joblib") == [str(tmp_path / "m.joblib")]
    joblib.dump({"model": other, "extra": 1}, tmp_path / "bundle.joblib", compress=3)
    assert [origin.run for origin in which_run(autologged, tmp_path / "m.joblib").found] == [
        autologged.runs("tags.estimator == 'DummyClassifier'")[0].id
    ]
    (origin,) = which_run(autologged, tmp_path / "bundle.joblib").found
    assert origin.run == autologged.runs("tags.estimator == 'DecisionTreeClassifier'")[0].id
    assert (joblib.load(tmp_path / "m.joblib").predict(X[:2]) == model.predict(X[:2])).all()
    assert len(autologged.runs()) == 2


def test_what_pickle_dumps_into_a_file_leads_back_to_the_run(autologged: Store, tmp_path: Path) -> None:  # noqa: F811
    model = DummyClassifier().fit(X, Y)
    with (tmp_path / "m.pkl").open("wb") as file:
        pickle.dump(model, file, protocol=4)
    (origin,) = which_run(autologged, tmp_path / "m.pkl").found
    assert origin.artifact == "m.pkl"
    buffer = io.BytesIO()
    pickle.dump(model, buffer)
    pickle.dump([1, 2], buffer)
    assert {item.name for item in only(autologged).artifacts if item.kind == "model"} == {"model.pkl", "m.pkl"}


def dumps() -> list[Any]:
    return [joblib.dump, joblib.numpy_pickle.dump, pickle.dump]


def test_dumps_are_the_very_same_functions_after_disabling() -> None:
    before = dumps()
    with runlore.autolog():
        assert not any(now is then for now, then in zip(dumps(), before, strict=True))
    assert all(now is then for now, then in zip(dumps(), before, strict=True))
