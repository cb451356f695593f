"""One outermost fit is one run, of every kind of estimator and of data; the fit itself is as without us."""

import asyncio
import pickle
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import DBSCAN, KMeans
from sklearn.decomposition import NMF, PCA, IncrementalPCA
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.feature_selection import SelectFromModel, SequentialFeatureSelector
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import runlore
from runlore import Store
from tests.process import Process
from tests.sklearn.models import Own, X, Y, only

SLOW = """
import sys
import numpy as np
import runlore
runlore.autolog()
from sklearn.svm import SVC
chance = np.random.default_rng(0)
X, y = chance.normal(size=(60_000, 40)), chance.integers(0, 2, 60_000)
print("fitting", flush=True)
SVC(C=3).fit(X, y)
"""


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


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_ensemble_is_one_run(autologged: Store, n_jobs: int) -> None:
    parts = [("a", LogisticRegression(max_iter=500)), ("b", DummyClassifier())]
    VotingClassifier(parts, n_jobs=n_jobs).fit(X, Y)
    assert len(autologged.runs()) == 1


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


@pytest.mark.parametrize(
    "fit",
    [
        lambda: Pipeline([("a", object()), ("b", SVC())]).fit(X, Y),
        lambda: Pipeline([("a", StandardScaler()), ("b", object())]).fit(X, Y),
        lambda: Pipeline([]).fit(X, Y),
        lambda: VotingClassifier([]).fit(X, Y),
        lambda: GridSearchCV(SVC(), {"nope": [1]}).fit(X, Y),
        lambda: GridSearchCV(object(), {}).fit(X, Y),
        lambda: SVC().fit(X),
        lambda: SVC().fit(X, Y, nope=1),
        lambda: SVC().fit([[float("nan")]], [1]),
    ],
)
def test_a_fit_that_fails_before_it_begins_is_a_failed_run(autologged: Store, fit: Callable[[], Any]) -> None:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # of any kind
        fit()
    run = only(autologged)
    assert (run.status, run.missing) == ("failed", [])
    assert run.error is not None
    assert run.error["message"] == str(caught.value)
    assert "Traceback" in str(run.error["traceback"])


def test_a_fit_joins_the_run_that_the_user_opened(autologged: Store) -> None:
    with autologged.start_run("mine") as run:
        LinearRegression().fit(X, Y)
        assert not run.ended
        run.log_metrics({"own": 1.0})
    (found,) = autologged.runs()
    assert found.name == "mine"
    assert {"own", "train_score"} <= set(found.metrics)


def test_a_fit_joins_a_run_that_was_opened_without_a_block(autologged: Store) -> None:
    run = autologged.start_run("mine")
    assert runlore.current_run() is run
    LinearRegression().fit(X, Y)
    LogisticRegression(max_iter=500).fit(X, Y)
    assert not run.ended
    run.finish()
    LinearRegression().fit(X, Y)
    alone, mine = autologged.runs("parent is None")
    assert (mine.name, mine.tags["estimator"], mine.status) == ("mine", "LinearRegression", "finished")
    assert [child.tags["estimator"] for child in mine.children] == ["LogisticRegression"]
    assert alone.tags["estimator"] == "LinearRegression"


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


def test_two_asyncio_tasks_give_two_runs_without_crossed_points(autologged: Store) -> None:
    async def work(depth: int) -> None:
        await asyncio.to_thread(DecisionTreeClassifier(max_depth=depth).fit, X, Y)
        await asyncio.sleep(0)
        DecisionTreeClassifier(max_depth=depth + 10).fit(X, Y)

    async def both() -> None:
        await asyncio.gather(work(1), work(2))

    asyncio.run(both())
    assert sorted(run.params["max_depth"] for run in autologged.runs()) == [1, 2, 11, 12]
    assert {run.metrics["train_score"].count for run in autologged.runs()} == {1}


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
def test_every_way_to_fit_makes_one_run(autologged: Store, fit: Callable[[], Any]) -> None:
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
def test_a_bare_transformer_makes_no_run(autologged: Store, fit: Callable[[], Any]) -> None:
    fit()
    assert len(autologged.runs()) == 0


@pytest.mark.parametrize(
    "transformer",
    [
        lambda: SequentialFeatureSelector(KNeighborsClassifier(), n_features_to_select=2, cv=2),
        lambda: SelectFromModel(LogisticRegression(max_iter=300)),
        lambda: make_pipeline(StandardScaler(), StandardScaler()),
    ],
)
def test_what_a_transformer_fits_inside_makes_no_runs(
    autologged: Store,
    transformer: Callable[[], Any],
) -> None:
    """A transformer makes no run, but what it fitted inside made some."""
    transformer().fit(X, Y)
    transformer().fit_transform(X, Y)
    assert len(autologged.runs()) == 0


def test_a_fit_in_a_task_that_outlives_its_run_makes_one_of_its_own(autologged: Store) -> None:
    """The context of an asyncio task still named a run that had ended."""
    import asyncio

    async def later() -> None:
        await asyncio.sleep(0.01)
        DummyClassifier().fit(X, Y)

    async def main() -> None:
        with autologged.start_run("a"):
            task = asyncio.create_task(later())
        await task

    asyncio.run(main())
    assert {run.name for run in autologged.runs()} > {"a"}
    assert len(autologged.runs()) == 2


def test_ctrl_c_while_data_is_described_interrupts_one_run_only(
    autologged: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C before the fit began left the session open: the next fit counted as a part of it."""

    class Interrupting(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Own().fit(Interrupting(["a", "b"]), [0, 1])
    Own().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "interrupted"]


def test_ctrl_c_while_the_score_is_computed_ends_the_run_and_not_the_recording(autologged: Store) -> None:
    with pytest.raises(KeyboardInterrupt):
        Interrupted().fit(X, Y)
    LinearRegression().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]


class Interrupted(Own):
    def score(self, *args: Any, **kwargs: Any) -> float:
        raise KeyboardInterrupt


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, "interrupted"), (signal.SIGKILL, "crashed")])
def test_a_fit_that_is_killed_dies_at_once_and_keeps_its_params(
    store: Store, warm_python: Callable[..., Process], number: int, status: str
) -> None:
    process = warm_python(SLOW)
    process.line()
    while not (store.exists and any(run.params for run in store.runs())):
        time.sleep(0.05)
    time.sleep(0.3)  # within the C code of the fit
    began = time.monotonic()
    assert process.kill(number) == -number
    assert time.monotonic() - began < 30  # the fit would take minutes
    (run,) = store.runs()
    assert run.status == status
    assert run.params["C"] == 3
