"""The score on the training data: with the fit's weights, of a copy, silent, or with a word why there is none."""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.cluster import DBSCAN, KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.semi_supervised import LabelPropagation
from sklearn.tree import DecisionTreeClassifier

from runlore import Store, guest
from runlore_sklearn import RunloreCallback
from tests.process import Process
from tests.sklearn.models import Own, X, Y, only, tree

Python = Callable[..., Process]
W = np.linspace(0.1, 5, len(Y)) ** 3


def train_score(store: Store) -> float:
    return float(store.runs()[0].metrics["train_score"].last)


@pytest.mark.parametrize("args", [((X[:, :2], Y, W), {}), ((X[:, :2], Y), {"sample_weight": W})])
def test_a_weighted_fit_has_a_weighted_train_score(autologged: Store, args: Any) -> None:
    model = LinearRegression().fit(*args[0], **args[1])
    assert train_score(autologged) == model.score(X[:, :2], Y, W) != model.score(X[:, :2], Y)
    assert only(autologged).data["sample_weight"]["rows"] == 150


def test_weights_for_the_last_step_of_a_pipeline_count_and_those_for_another_step_do_not(autologged: Store) -> None:
    model = make_pipeline(make_pipeline(StandardScaler(), LinearRegression()))
    model.fit(X[:, :2], Y, pipeline__linearregression__sample_weight=W)
    assert train_score(autologged) == model.score(X[:, :2], Y, W)
    model.fit(X[:, :2], Y, pipeline__standardscaler__sample_weight=W)
    assert train_score(autologged) == model.score(X[:, :2], Y)


@pytest.mark.parametrize("asked", [True, None])
def test_with_metadata_routing_the_score_gets_what_it_asks_for(autologged: Store, asked: bool | None) -> None:
    with sklearn.config_context(enable_metadata_routing=True):
        last = LinearRegression().set_fit_request(sample_weight=True).set_score_request(sample_weight=asked)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        model = make_pipeline(scaler, last).fit(X[:, :2], Y, sample_weight=W)
        assert train_score(autologged) == model.score(X[:, :2], Y, **({"sample_weight": W} if asked else {}))
        LinearRegression().fit(X[:, :2], Y, sample_weight=W)
        assert train_score(autologged) == LinearRegression().fit(X[:, :2], Y, W).score(X[:, :2], Y, W)


def test_weights_that_score_does_not_take_are_left_out(autologged: Store) -> None:
    class Weighted(Own):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Weighted":
            super().fit(X, y)
            return self

        def score(self, X: Any, y: Any) -> float:  # type: ignore[override]
            return 0.5

    Weighted().fit(X, Y, W)
    assert train_score(autologged) == 0.5


def test_further_arguments_by_position_are_described_by_their_names(autologged: Store) -> None:
    class Extra(Own):
        def fit(self, X: Any, y: Any, groups: Any = None, sample_weight: Any = None) -> "Extra":
            super().fit(X, y)
            return self

    model = Extra().fit(X, Y, np.arange(150), W)
    assert set(only(autologged).data) == {"X", "y", "groups", "sample_weight"}
    assert train_score(autologged) == model.score(X, Y, W)


def test_the_iteration_score_of_a_weighted_fit_is_weighted(store: Store) -> None:
    pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
    model = LogisticRegression(max_iter=300).set_callbacks(RunloreCallback()).fit(X[:, :2], Y, W)
    (run,) = store.runs()
    expected = model.score(X[:, :2], Y, W)
    assert run.metrics["iteration_score"].last == run.metrics["train_score"].last == pytest.approx(expected)


@pytest.mark.parametrize(
    "model", [GradientBoostingClassifier(n_estimators=2), GradientBoostingRegressor(n_estimators=2)]
)
def test_members_in_an_array_keep_no_score_away(autologged: Store, model: Any) -> None:
    model.fit(X, Y)
    assert train_score(autologged) == model.score(X, Y)
    assert only(autologged).missing == []


def test_a_model_that_cannot_be_pickled_is_scored_all_the_same(autologged: Store) -> None:
    class Local(Own):
        pass

    for model in (Local(), make_pipeline(FunctionTransformer(lambda v: v**2), LogisticRegression(max_iter=500))):
        model.fit(X, Y)
        assert train_score(autologged) == model.score(X, Y)
        assert [item["what"] for item in autologged.runs()[0].missing] == ["the fitted model"]


def test_a_train_score_that_cannot_be_had_says_why(autologged: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Locked(Own):
        def fit(self, X: Any, y: Any) -> "Locked":
            self.lock_ = threading.Lock()
            super().fit(X, y)
            return self

    class Refusing(Own):
        def score(self, *args: Any, **kwargs: Any) -> float:
            raise RuntimeError("no score for you")

    def why() -> str:
        (item,) = (item for item in autologged.runs()[0].missing if item["what"] == "train_score")
        return str(item["why"])

    Locked().fit(X, Y)
    assert "can't be pickled" in why() or "cannot pickle" in why()
    Refusing().fit(X, Y)
    assert why() == "RuntimeError: no score for you"
    tree().fit(np.zeros((10_001, 1)), np.zeros(10_001))
    assert why() == "X has 10,001 rows, and at most 10,000 are scored"
    monkeypatch.setattr("runlore_sklearn._copies.MAX_KEPT_BYTES", 100)
    tree().fit(X, Y)
    assert why().startswith("the model is larger than")


@pytest.mark.parametrize(
    "model",
    [
        KMeans(2, n_init=1, random_state=0),
        GaussianMixture(2, random_state=0),
        make_pipeline(StandardScaler(), KMeans(2, n_init=1, random_state=0)),
    ],
)
def test_what_needs_no_labels_has_a_train_score_without_them(autologged: Store, model: Any) -> None:
    # https://github.com/mlflow/mlflow/pull/4325
    model.fit(X[:100])
    assert train_score(autologged) == model.score(X[:100]) != model.score(X[100:])
    run = only(autologged)
    assert run.metrics["test_score"].values.tolist() == [model.score(X[100:])] and run.missing == []


@pytest.mark.parametrize("model", [EllipticEnvelope(), make_pipeline(StandardScaler(), EllipticEnvelope()), DBSCAN()])
def test_nobody_expects_a_score_of_what_needs_labels_where_there_are_none(autologged: Store, model: Any) -> None:
    model.fit(X)
    assert "train_score" not in only(autologged).metrics and only(autologged).missing == []


def test_the_train_score_prints_nothing_and_warns_of_nothing(
    autologged: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    class Loud(Own):
        def predict(self, X: Any) -> Any:
            warnings.warn("loud", UserWarning, stacklevel=1)
            thread = threading.Thread(target=print, args=("loud, in a thread",))
            thread.start()
            thread.join()
            print("loud")
            return super().predict(X)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Loud().fit(X, Y)
    assert capsys.readouterr().out == ""
    assert only(autologged).metrics["train_score"].count == 1


def test_a_callback_that_opens_threads_is_not_copied(autologged: Store) -> None:
    callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        monitor = callback.ScoringMonitor(scoring="accuracy")
        inner = LogisticRegression(max_iter=5).set_callbacks(monitor)
        before = threading.active_count()
        inner.fit(X, Y)
        make_pipeline(StandardScaler(), inner).fit(X, Y)
    assert threading.active_count() == before
    assert [run.metrics["train_score"].count for run in autologged.runs()] == [1, 1]
    monitored = autologged.runs()[1].metrics["iteration_accuracy"]
    told = [row for row in monitor.get_logs(select="all")[0].data if row["task_name"] == "lbfgs-iter"]
    assert monitored.values.tolist() == [row["accuracy"] for row in told]
    assert monitored.steps.tolist() == [0, 1, 2, 3, 4]
    assert inner._skl_callbacks == [monitor]


def test_a_score_inside_a_fit_is_no_score_of_the_users(autologged: Store) -> None:
    class Checking(Own):
        def fit(self, X: Any, y: Any) -> "Checking":
            super().fit(X, y)
            DecisionTreeClassifier().fit(X, y).score(X[::2], y[::2])
            self.score(X[::2], y[::2])
            return self

    Checking().fit(X, Y)
    VotingClassifier([("a", DummyClassifier())]).fit(X, Y)
    assert [set(run.metrics) & {"test_score"} for run in autologged.runs()] == [set(), set()]


@pytest.mark.parametrize("model", [DummyClassifier(strategy="uniform"), LinearRegression()])
def test_a_score_of_scikit_learns_own_code_draws_no_number_of_the_users(autologged: Store, model: Any) -> None:
    """It has no guard against that: its random states are fixed."""
    np.random.seed(3)
    model.fit(X[:, :2], Y)
    drawn = np.random.random()
    np.random.seed(3)
    with guest.unrecorded():
        model.fit(X[:, :2], Y)
    assert drawn == np.random.random()
    assert "train_score" in only(autologged).metrics


def test_a_score_that_is_no_number_says_what_is_wrong(autologged: Store) -> None:
    """What a fit has accepted is not checked again, but where the predictions of a sound fit overflow."""
    with np.errstate(all="ignore"):
        KNeighborsRegressor(2).fit(np.arange(3.0)[:, None], np.full(3, 1.7e308))
    run = only(autologged)
    (why,) = (item["why"] for item in run.missing if item["what"] == "train_score")
    assert "train_score" not in run.metrics and why.startswith("ValueError: Input contains infinity")


DRAWING = """
import random
import numpy as np, runlore
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

def noisy(values):
    return values + np.random.normal(0, 1e-3, values.shape) + random.random()

class Jittered(TransformerMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self
    def transform(self, X):
        return noisy(X)

def drawn(step):
    np.random.seed(3)
    random.seed(3)
    make_pipeline(StandardScaler(), make_pipeline(step), DummyClassifier()).fit(np.ones((9, 2)), np.arange(9) % 2)
    return np.random.random(), random.random()

for step in (FunctionTransformer(noisy), Jittered()):
    bare = drawn(step)
    with runlore.autolog():
        assert drawn(step) == bare, step
"""


def test_a_pipeline_with_a_step_that_draws_leaves_the_users_numbers_alone(store: Store, warm_python: Python) -> None:
    """Only steps of scikit-learn's own code need no guard: a function, or a class of the user's, may draw.

    In a process of its own, as states are put back only where no other thread may draw.
    """
    warm_python(DRAWING).succeed()
    assert [run.metrics["train_score"].count for run in store.runs()] == [1, 1]


@pytest.mark.parametrize("piped", [False, True])
def test_rows_without_a_label_have_no_train_score(autologged: Store, piped: bool) -> None:
    """They counted as wrong, whatever was predicted: -1 stands for no label there."""
    some = np.where(np.arange(len(Y)) % 3 == 0, Y, -1)
    model: Any = LabelPropagation()
    (make_pipeline(model) if piped else model).fit(X, some)
    model = LabelPropagation().fit(X, some)
    assert autologged.runs()[-1].metrics["train_score"].last == model.score(X[some != -1], Y[some != -1])
