"""Attributes are replaced while autolog is on, and then are the very same again."""

import copy
import gc
import inspect
import pickle
import sys
import traceback
import warnings
import weakref
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  # makes HalvingGridSearchCV importable
from sklearn.linear_model import LinearRegression, LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

# By name, before autolog is switched on: that is how people import them.
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import available_if
from sklearn.utils.parallel import Parallel, delayed

import runlore
from runlore import Store
from runlore.errors import SettingError
from tests.process import Process
from tests.sklearn.models import Own, X, Y, tree

Python = Callable[..., Process]

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

ENSEMBLES = {
    "voting": lambda jobs: VotingClassifier([("a", tree()), ("b", DummyClassifier())], n_jobs=jobs),
    "stacking": lambda jobs: StackingClassifier([("a", tree()), ("b", DummyClassifier())], n_jobs=jobs, cv=2),
    "bagging": lambda jobs: BaggingClassifier(tree(), n_estimators=4, n_jobs=jobs),
    "one versus rest": lambda jobs: OneVsRestClassifier(LogisticRegression(max_iter=300), n_jobs=jobs),
}


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


def test_a_kept_method_records_nothing_after_disabling(store: Store) -> None:
    with runlore.autolog():
        fit = LinearRegression().fit
    fit(X, Y)
    assert len(store.runs()) == 0


def test_fits_in_the_threads_of_a_pool_belong_to_the_outer_fit(autologged: Store) -> None:
    with joblib.parallel_config("threading", n_jobs=2):
        GridSearchCV(LogisticRegression(max_iter=500), {"C": [0.1, 1]}, cv=3).fit(X, Y)
        VotingClassifier([("a", LogisticRegression(max_iter=500)), ("b", DummyClassifier())]).fit(X, Y)
        BaggingClassifier(DummyClassifier(), n_estimators=4).fit(X, Y)
    assert len(autologged.runs("parent is None")) == 3
    assert len(autologged.runs()) == 5


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


def test_an_untested_version_warns_once_and_records_what_it_can(store: Store, python: Python) -> None:
    process = python("""
        import sklearn
        sklearn.__version__ = "9.9.1"
        import sklearn.utils.parallel
        del sklearn.utils.parallel._FuncWrapper
        import runlore
        runlore.autolog()
        from sklearn.dummy import DummyClassifier
        for _ in range(2):
            DummyClassifier().fit([[1], [2]], [0, 1])
    """)
    process.succeed()
    assert process.err.count("Warning: scikit-learn 9.9.1 is not tested with runlore") == 1
    assert process.err.count("Warning: scikit-learn has changed its pools") == 1
    assert len(store.runs()) == 2


@pytest.mark.shows("sklearn", "processes")
@pytest.mark.parametrize("name", ENSEMBLES)
@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_ensemble_is_one_run_in_every_kind_of_pool(
    autologged: Store,
    name: str,
    backend: str,
    n_jobs: int,
) -> None:
    import joblib

    with joblib.parallel_config(backend):
        ENSEMBLES[name](n_jobs).fit(X, Y)
    (run,) = autologged.runs()
    assert run.status == "finished"
    assert run.metrics["train_score"].last > 0.3


def test_what_a_task_of_the_users_fits_in_a_loky_worker_is_recorded(
    store: Store, python: Callable[..., Process]
) -> None:
    python("""
        import runlore
        runlore.autolog()
        import joblib
        from sklearn.datasets import load_iris
        from sklearn.dummy import DummyClassifier

        def work(seed):
            import runlore
            runlore.autolog()
            data = load_iris(return_X_y=True)
            return DummyClassifier(random_state=seed).fit(*data).score(*data)

        if __name__ == "__main__":
            print(joblib.Parallel(n_jobs=2)(joblib.delayed(work)(seed) for seed in range(4)))
    """).succeed()
    assert [(run.parent, run.tags["estimator"]) for run in store.runs()] == [(None, "DummyClassifier")] * 4


def test_autolog_and_the_callback_may_be_imported_in_any_order(store: Store, python: Python) -> None:
    """Our package was imported a second time in the midst of its own import."""
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


class FitMixin:
    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.unique(y)
        return self


class Mixed(FitMixin, ClassifierMixin, BaseEstimator):
    def predict(self, X: Any) -> Any:
        return np.zeros(len(X))


def test_a_fit_from_a_mixin_is_recorded_and_put_back(store: Store) -> None:
    """Only estimators were wrapped, not the mixins that define their `fit`."""
    before = FitMixin.fit
    with runlore.autolog():
        Mixed().fit(X, Y)
    assert FitMixin.fit is before
    assert len(store.runs()) == 1


def test_classes_made_while_autolog_is_on_are_freed(autologged: Store) -> None:
    """What was wrapped was held for ever."""
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
    """A method behind `available_if` was wrapped once for each way to its class, and put back once."""

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


def test_inside_a_fit_scikit_learn_calls_its_own_functions(autologged: Store) -> None:
    """The text of its warnings held two more lines, of frames of ours."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        GridSearchCV(Own(), {"fail": [False, True]}, cv=2).fit(X, Y)
        with pytest.raises(RuntimeError) as error:
            cross_val_score(Own(fail=True), X, Y, cv=2, error_score="raise")
    assert [item.category.__name__ for item in caught] == ["FitFailedWarning", "UserWarning"]
    assert "cursed" in str(caught[0].message)
    assert "runlore" not in str(caught[0].message)
    assert not [frame for frame in traceback.extract_tb(error.value.__traceback__) if "runlore" in frame.filename]


@pytest.mark.parametrize(
    "fail",
    [
        lambda: Own(fail=True).fit(X, Y),
        lambda: SGDClassifier(loss="none").partial_fit(X, Y),
        lambda: Own().score(X, Y),
        lambda: GridSearchCV(Own(), {"fail": [True]}, cv=2, error_score="raise").fit(X, Y),
        lambda: GridSearchCV(Own(), {"fail": [True]}, cv=2, error_score="raise", n_jobs=2).fit(X, Y),
        lambda: Parallel(n_jobs=2, backend="threading")(delayed(Own(fail=True).fit)(X, Y) for _ in range(2)),
        lambda: joblib.load("none.joblib"),
        lambda: joblib.dump(Own(), "no/folder/model.joblib"),
    ],
)
def test_the_traceback_of_a_users_error_has_no_frame_of_ours(autologged: Store, fail: Any) -> None:
    """With `error_score="raise"` three lines stood there that say nothing to a user, else one."""
    with pytest.raises(Exception) as error:  # noqa: PT011
        fail()
    names = [frame.filename for frame in traceback.extract_tb(error.value.__traceback__)]
    assert names[0] == __file__
    assert not [name for name in names if "as it were: runlore" in name or "runlore_sklearn" in name]


def test_a_method_of_a_class_is_a_function_and_goes_to_workers_as_it_was() -> None:
    before = Own.__dict__["fit"]
    with runlore.autolog():
        assert inspect.isfunction(Own.fit)
        assert inspect.signature(Own.fit) == inspect.signature(before)
        ours = Own.__dict__["fit"]
        assert ours is not before
        assert ours.__reduce__() == (copy.copy, (before,))
        assert pickle.loads(pickle.dumps(Own().fit)).__func__ is Own.fit
    assert Own.__dict__["fit"] is before
