"""The rules of being a guest, as far as scikit-learn can show them."""

import inspect
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import check_estimator

import runlore
from runlore import Store
from tests.process import Process
from tests.sklearn.models import Own, X, Y

Python = Callable[..., Process]


def surroundings() -> dict[str, Any]:
    """What a guest leaves as it was."""
    return {
        "handlers": (logging.getLogger().handlers[:], sorted(logging.Logger.manager.loggerDict)),
        "filters": warnings.filters[:],
        "hooks": (sys.excepthook, threading.excepthook, sys.unraisablehook, sys.displayhook),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "streams": (sys.stdout, sys.stderr),
        "files": sorted(str(path) for path in Path.cwd().rglob("*") if "store" not in path.parts),
        "environment": dict(os.environ),
        "recursion": sys.getrecursionlimit(),
        "umask": (os.umask(0o22), os.umask(0o22))[1],
    }


def test_nothing_around_a_fit_is_changed(store: Store) -> None:
    DecisionTreeClassifier().fit(X, Y)
    before = surroundings()
    with runlore.autolog():
        DecisionTreeClassifier().fit(X, Y)
    assert surroundings() == before
    assert len(store.runs()) == 1


def test_an_exception_reaches_the_caller_as_the_same_object(autologged: Store) -> None:
    error = RuntimeError("mine")

    class Raising(Own):
        def fit(self, X: Any, y: Any) -> "Raising":
            raise error

    for thrown in (error, KeyboardInterrupt(), SystemExit(3), SystemExit(0)):

        def fit(self: Any, X: Any, y: Any, thrown: BaseException = thrown) -> Any:
            raise thrown

        kind = type("Raising", (Own,), {"fit": fit})
        with pytest.raises(type(thrown)) as caught:
            kind().fit(X, Y)
        assert caught.value is thrown
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
    assert [run.status for run in autologged.runs()] == ["finished", "failed", "interrupted", "failed"]


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


def test_the_estimators_own_random_state_is_not_used_up(store: Store) -> None:
    def predict() -> list[int]:
        model = DummyClassifier(strategy="uniform", random_state=np.random.RandomState(3)).fit(X, Y)
        return list(model.predict(X))

    without = predict()
    with runlore.autolog():
        assert predict() == without


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


def test_metadata_routing_and_set_output_work_as_ever(autologged: Store) -> None:
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


def test_the_train_score_changes_nothing_of_the_users_data(store: Store) -> None:
    """The score on the training data transformed that data in place a second time."""

    def scaled() -> tuple[Any, float]:
        data = X.copy()
        model = make_pipeline(StandardScaler(copy=False), LogisticRegression()).fit(data, Y)
        return data, model.score(X.copy(), Y)

    without, score = scaled()
    with runlore.autolog():
        recorded, _ = scaled()
    assert (recorded == without).all()
    assert store.runs()[0].metrics["train_score"].last == score


def test_warnings_of_other_threads_and_later_ones_are_shown(autologged: Store) -> None:
    """Warnings were silenced for the whole process while a score was computed."""
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
    """Warnings with a stack level pointed to our wrapper, and each was shown once in all."""

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


def test_other_threads_draw_the_same_numbers(autologged: Store) -> None:
    """The global generator was put back while another thread drew from it."""
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


def test_a_traceback_shows_the_users_line_and_none_of_ours(autologged: Store) -> None:
    """Our frames stood in the tracebacks of runs."""
    with pytest.raises(ValueError, match="'C'"):
        LogisticRegression(C=-1).fit(X, Y)
    trace = str(autologged.runs()[0].error["traceback"])  # type: ignore[index]
    assert "LogisticRegression(C=-1).fit(X, Y)" in trace
    assert "runlore_sklearn" not in trace
    assert "recorded_fit" not in trace


@pytest.mark.parametrize("how", ["environment", "file", "context", "argument"])
def test_there_are_four_ways_to_opt_out(store: Store, warm_python: Python, tmp_path: Path, how: str) -> None:
    fit = "from sklearn.dummy import DummyClassifier; DummyClassifier().fit([[1], [2]], [0, 1])"
    script, environment = f"import runlore; runlore.autolog(); {fit}", {}
    if how == "environment":
        environment = {"RUNLORE_DISABLED": "1"}
    elif how == "file":
        (tmp_path / "pyproject.toml").write_text('[tool.runlore]\ndisabled = ["sklearn"]\n')
    elif how == "context":
        script = f"import runlore\nwith runlore.autolog():\n    pass\n{fit}"
    else:
        script = f"import runlore; handle = runlore.autolog(); handle.disable(); {fit}"
    warm_python(script, **environment).succeed()
    assert len(store.runs()) == 0


def test_a_hook_that_breaks_everything_costs_no_fit(store: Store, tmp_path: Path, warm_python: Python) -> None:
    from tests.distributions import plugin

    code = """
from runlore import hookimpl
def bad(*_, **__):
    raise SystemError("broken plugin")
@hookimpl
def runlore_describe_data(data): bad()
@hookimpl
def runlore_capture_environment(request): bad()
@hookimpl
def runlore_capture_files(request): bad()
@hookimpl
def runlore_events_logged(run, events): bad()
@hookimpl
def runlore_points_logged(run, points): bad()
@hookimpl
def runlore_run_finished(run): bad()
"""
    process = warm_python(
        "import runlore; runlore.autolog(); from sklearn.dummy import DummyClassifier;"
        "print(DummyClassifier().fit([[1], [2]], [0, 1]).predict([[1]]))",
        PYTHONPATH=plugin(tmp_path, "broken", code),
    )
    assert process.succeed() == "[0]\n"
    assert process.err.count("Warning") == 1
    (run,) = store.runs()
    assert run.status == "finished"
    assert len([item for item in run.missing if "broken" in item["what"] + item["why"]]) == 4


def test_a_disk_that_is_full_costs_no_fit(tmp_path: Path, warm_python: Python) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        process = warm_python(
            """
            import runlore
            runlore.autolog()
            import numpy as np
            from sklearn.dummy import DummyClassifier
            for number in range(40):
                model = DummyClassifier().fit(np.zeros((10, 2)), [number] * 10)
                assert model.predict([[0, 0]]) == [number]
            """,
            RUNLORE_STORE=str(place / "store"),
        )
        process.succeed()
        assert "RunloreWarning" in process.err
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_store_that_cannot_be_made_costs_no_fit(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNLORE_STORE", str(tmp_path / "file" / "store"))
    with runlore.autolog(), pytest.warns(runlore.RunloreWarning) as caught:
        model = LinearRegression().fit(X, Y)
    assert len(caught) == 1
    assert model.coef_.shape == (4,)


def test_an_unusable_store_is_told_once(tmp_path: Path, warm_python: Python) -> None:
    """Every fit and every fold warned anew."""
    (tmp_path / "file").touch()
    process = warm_python(
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
    assert process.err.count("RunloreWarning:") == 2  # when it begins, and as Python ends, for all
    assert "17 more" in process.err


def test_a_secret_in_an_estimator_is_nowhere_in_the_store(
    autologged: Store,
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
