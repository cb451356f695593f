"""What once broke, leaked or recorded nonsense."""

import gc
import io
import pickle
import threading
import time
import warnings
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_breast_cancer, load_digits, load_iris
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_selection import SelectFromModel, SequentialFeatureSelector
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, validation_curve
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.metaestimators import available_if

import runlore
from runlore import Store
from runlore.provenance.origins import which_run
from tests.process import Process
from tests.sklearn.test_autolog import Own, autologged  # noqa: F401  # a fixture

Python = Callable[..., Process]
X, Y = load_iris(return_X_y=True)


def test_a_script_that_keeps_a_partly_fitted_estimator_ends(store: Store, python: Python) -> None:
    process = python("""
        import runlore
        runlore.autolog()
        from sklearn.linear_model import SGDClassifier
        model = SGDClassifier()
        for _ in range(3):
            model.partial_fit([[0.0], [1.0]], [0, 1], classes=[0, 1])
        print("done")
    """)
    assert process.succeed() == "done\n"
    assert [run.status for run in store.runs()] == ["finished"]


def test_the_train_score_changes_nothing_of_the_users_data(store: Store) -> None:
    def scaled() -> tuple[Any, float]:
        data = X.copy()
        model = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(data, Y)
        return data, model.score(X.copy(), Y)

    without, score = scaled()
    with runlore.autolog():
        recorded, _ = scaled()
    assert (recorded == without).all()
    assert store.runs()[0].metrics["train_score"].last == score


def test_warnings_of_other_threads_and_later_ones_are_shown(autologged: Store) -> None:  # noqa: F811
    features, target = load_digits(return_X_y=True)
    before = warnings.filters[:]
    heard = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")

        def fit(neighbours: int) -> None:
            KNeighborsClassifier(neighbours).fit(features[:500], target[:500])
            warnings.warn(f"heard {neighbours}", UserWarning, stacklevel=1)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(fit, range(1, 17)))
        heard = [str(item.message) for item in caught if "heard" in str(item.message)]
    assert len(heard) == 16
    assert warnings.filters == before
    assert len(autologged.runs()) == 16


def test_a_warning_of_an_estimator_points_to_its_caller(store: Store) -> None:
    class Outdated(Own):
        def fit(self, X: Any, y: Any) -> "Outdated":
            warnings.warn("deprecated", DeprecationWarning, stacklevel=2)
            self.classes_ = np.unique(y)
            return self

    def lines() -> list[tuple[str, int]]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(3):
                Outdated().fit(X, Y)
        return [(item.filename, item.lineno) for item in caught]

    without = lines()
    with runlore.autolog():
        assert lines() == without
    assert {name for name, _ in without} == {__file__}


def test_other_threads_draw_the_same_numbers(autologged: Store) -> None:  # noqa: F811
    np.random.seed(0)
    expected = np.random.random(100)
    np.random.seed(0)
    drawn: list[float] = []

    def draw() -> None:
        for _ in range(100):
            drawn.append(np.random.random())
            time.sleep(0.001)

    thread = threading.Thread(target=draw)
    thread.start()
    while thread.is_alive():
        KNeighborsClassifier().fit(X, Y)
    assert drawn == expected.tolist()


def test_dumps_can_be_sent_to_workers(autologged: Store, tmp_path: Path) -> None:  # noqa: F811
    for dump in (joblib.dump, joblib.numpy_pickle.dump, pickle.dump):
        assert pickle.loads(pickle.dumps(dump)) is dump
    tasks = (joblib.delayed(joblib.dump)({"a": number}, tmp_path / str(number)) for number in range(3))
    assert len(joblib.Parallel(n_jobs=2)(tasks)) == 3


def test_static_methods_and_objects_that_raise_are_left_alone(autologged: Store) -> None:  # noqa: F811
    class Static(Own):
        @staticmethod
        def score(a: int, b: int) -> int:  # type: ignore[override]
            return a + b

    class Handle:
        @property
        def shape(self) -> Any:
            raise RuntimeError("closed file")

    class Extra(Own):
        def fit(self, X: Any, y: Any, extra: Any = None) -> "Extra":
            super().fit(X, y)
            return self

    assert Static().score(1, 2) == 3
    Extra().fit(X, Y, extra=Handle())
    Own().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "finished"]


def test_ctrl_c_while_data_is_described_interrupts_one_run_only(
    autologged: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Interrupting(list):  # type: ignore[type-arg]
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Own().fit(Interrupting(["a", "b"]), [0, 1])
    Own().fit(X, Y)
    assert [run.status for run in autologged.runs()] == ["finished", "interrupted"]


def test_odd_containers_are_dumped_as_ever(autologged: Store) -> None:  # noqa: F811
    class Odd(dict):  # type: ignore[type-arg]
        def values(self) -> Any:
            raise RuntimeError("no values")

    globals()["Odd"] = Odd
    Odd.__qualname__ = "Odd"
    DummyClassifier().fit(X, Y)
    pickle.dump(Odd(a=1), io.BytesIO())


def test_autolog_and_the_callback_may_be_imported_in_any_order(store: Store, python: Python) -> None:
    process = python("""
        import runlore
        runlore.autolog()
        from runlore_sklearn import RunloreCallback
        from sklearn.dummy import DummyClassifier
        DummyClassifier().fit([[1], [2]], [0, 1])
    """)
    process.succeed()
    assert process.err == ""
    assert len(store.runs()) == 1


@pytest.mark.parametrize(
    "transformer",
    [
        lambda: SequentialFeatureSelector(KNeighborsClassifier(), n_features_to_select=2, cv=2),
        lambda: SelectFromModel(LogisticRegression(max_iter=300)),
        lambda: make_pipeline(StandardScaler(), StandardScaler()),
    ],
)
def test_what_a_transformer_fits_inside_makes_no_runs(
    autologged: Store,  # noqa: F811
    transformer: Callable[[], Any],
) -> None:
    transformer().fit(X, Y)
    transformer().fit_transform(X, Y)
    assert len(autologged.runs()) == 0


def test_scores_of_a_permutation_importance_are_not_the_models(autologged: Store) -> None:  # noqa: F811
    features, target = load_breast_cancer(return_X_y=True)
    model = DecisionTreeClassifier(random_state=0).fit(features[::2], target[::2])
    permutation_importance(model, features[1::2], target[1::2], n_repeats=3, random_state=0)
    assert autologged.runs()[0].metrics["test_score"].count == 1


def test_many_scores_cost_one_file(autologged: Store) -> None:  # noqa: F811
    model = DummyClassifier().fit(X, Y)
    for place in range(50):
        model.score(X[place:], Y[place:])
    (run,) = autologged.runs()
    assert run.metrics["test_score"].count == 49, "the first one is of the training data"
    assert len([path for path in autologged.root.rglob("*") if path.suffix in (".log", ".run")]) == 2
    assert {name for name in run.data if name.startswith("test")} == {"test", "test_2", "test_3", "test_4", "test_5"}


def test_partial_fit_in_a_run_of_the_user_stays_in_it(autologged: Store) -> None:  # noqa: F811
    with autologged.start_run("mine"):
        model = SGDClassifier()
        for _ in range(4):
            model.partial_fit(X, Y, classes=[0, 1, 2])
        model.score(X[::2], Y[::2])
    (run,) = autologged.runs()
    assert (run.metrics["rows"].count, run.metrics["test_score"].count) == (4, 1)


def test_a_validation_curve_says_what_it_varies_and_takes_no_mean_of_it(autologged: Store) -> None:  # noqa: F811
    validation_curve(DecisionTreeClassifier(), X, Y, param_name="max_depth", param_range=[1, 3], cv=2)
    (parent,) = autologged.runs("parent is None")
    assert sorted(child.params["max_depth"] for child in parent.children) == [1, 1, 3, 3]
    assert "mean_test_score" not in parent.metrics
    assert parent.metrics["split_test_score"].count == 4


def test_params_that_look_like_steps_and_ones_that_raise_cost_no_others(autologged: Store) -> None:  # noqa: F811
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


def test_a_file_opened_by_a_relative_path_is_found_after_a_change_of_folder(
    autologged: Store,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rel.pkl").write_bytes(b"unrelated")
    model = DummyClassifier().fit(X, Y)
    with open("rel.pkl", "wb") as file:  # noqa: PTH123  # relative, as users write it
        monkeypatch.chdir(tmp_path / "sub")
        pickle.dump(model, file)
    assert len(which_run(autologged, tmp_path / "rel.pkl").found) == 1
    assert len(which_run(autologged, tmp_path / "sub" / "rel.pkl").found) == 0


def test_parts_of_a_fitted_estimator_lead_to_its_run_however_deep_they_are_dumped(
    autologged: Store,  # noqa: F811
    tmp_path: Path,
) -> None:
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


class FitMixin:
    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        return self


class Mixed(FitMixin, ClassifierMixin, BaseEstimator):
    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_a_fit_from_a_mixin_is_recorded_and_put_back(store: Store) -> None:
    before = FitMixin.fit
    with runlore.autolog():
        Mixed().fit(X, Y)
    assert FitMixin.fit is before
    assert len(store.runs()) == 1


def test_classes_made_while_autolog_is_on_are_freed(autologged: Store) -> None:  # noqa: F811
    references = []

    def make() -> None:
        class Local(ClassifierMixin, BaseEstimator):
            def fit(self, X: Any, y: Any) -> "Local":
                super().__init__()
                return self

        references.append(weakref.ref(Local))

    for _ in range(20):
        make()
    gc.collect()
    assert sum(reference() is not None for reference in references) == 0


def test_diamonds_and_descriptors_are_put_back() -> None:
    class A(BaseEstimator):
        pass

    class B1(A):
        pass

    class B2(A):
        pass

    class D(B1, B2):
        @available_if(lambda self: True)  # type: ignore[untyped-decorator]
        def fit(self, X: Any, y: Any = None) -> "D":
            return self

    before = D.__dict__["fit"].fn
    runlore.autolog("sklearn").disable()
    assert D.__dict__["fit"].fn is before


def test_an_unusable_store_is_told_once(tmp_path: Path, python: Python) -> None:
    (tmp_path / "file").touch()
    process = python(
        """
        import runlore
        runlore.autolog()
        from sklearn.datasets import load_iris
        from sklearn.dummy import DummyClassifier
        from sklearn.model_selection import cross_val_score
        X, y = load_iris(return_X_y=True)
        for _ in range(3):
            cross_val_score(DummyClassifier(), X, y)
            DummyClassifier().fit(X, y)
        """,
        RUNLORE_STORE=str(tmp_path / "file" / "store"),
    )
    process.succeed()
    assert process.err.count("RunloreWarning:") == 1


def test_a_fit_in_a_task_that_outlives_its_run_makes_one_of_its_own(autologged: Store) -> None:  # noqa: F811
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


def test_a_traceback_shows_the_users_line_and_none_of_ours(autologged: Store) -> None:  # noqa: F811
    with pytest.raises(ValueError, match="'C'"):
        LogisticRegression(C=-1).fit(X, Y)
    trace = str(autologged.runs()[0].error["traceback"])  # type: ignore[index]
    assert "LogisticRegression(C=-1).fit(X, Y)" in trace
    assert "runlore_sklearn" not in trace
    assert "recorded_fit" not in trace


def test_candidates_and_folds_took_the_time_of_their_fits(autologged: Store) -> None:  # noqa: F811
    class Slow(Own):
        def fit(self, X: Any, y: Any) -> "Slow":
            time.sleep(0.02)
            super().fit(X, y)
            return self

    search = GridSearchCV(Slow(), {"shift": [1, 2]}, cv=2).fit(X, Y)
    (parent,) = autologged.runs("parent is None")
    for child, mean in zip(parent.children, search.cv_results_["mean_fit_time"], strict=True):
        assert child.duration is not None
        assert child.duration >= 2 * mean >= 0.04
