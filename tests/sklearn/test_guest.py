"""The rules of being a guest, as far as scikit-learn can show them."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import runlore
from runlore import Store
from tests.process import Process
from tests.sklearn.test_autolog import Own, autologged  # noqa: F401  # a fixture

Python = Callable[..., Process]
X, Y = load_iris(return_X_y=True)


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


def test_an_exception_reaches_the_caller_as_the_same_object(autologged: Store) -> None:  # noqa: F811
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


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, "interrupted"), (signal.SIGKILL, "crashed")])
def test_a_fit_that_is_killed_dies_at_once_and_keeps_its_params(
    store: Store, python: Python, number: int, status: str
) -> None:
    process = python(SLOW)
    process.line()
    while not (store.exists and any(run.params for run in store.runs())):
        time.sleep(0.05)
    time.sleep(0.3)  # within the C code of the fit
    began = time.monotonic()
    assert process.kill(number) == -number
    assert time.monotonic() - began < 5
    (run,) = store.runs()
    assert run.status == status
    assert run.params["C"] == 3


def test_a_second_fit_is_a_second_run_that_is_linked_to_the_first(autologged: Store) -> None:  # noqa: F811
    model = LogisticRegression(max_iter=300).fit(X, Y)
    model.set_params(C=2).fit(X, Y)
    second, first = autologged.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
    assert (first.links, first.params["C"], second.params["C"]) == ([], 1.0, 2)


def test_two_asyncio_tasks_give_two_runs_without_crossed_points(autologged: Store) -> None:  # noqa: F811
    async def work(depth: int) -> None:
        await asyncio.to_thread(DecisionTreeClassifier(max_depth=depth).fit, X, Y)
        await asyncio.sleep(0)
        DecisionTreeClassifier(max_depth=depth + 10).fit(X, Y)

    async def both() -> None:
        await asyncio.gather(work(1), work(2))

    asyncio.run(both())
    assert sorted(run.params["max_depth"] for run in autologged.runs()) == [1, 2, 11, 12]
    assert {run.metrics["train_score"].count for run in autologged.runs()} == {1}


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


@pytest.mark.parametrize("how", ["environment", "file", "context", "argument"])
def test_there_are_four_ways_to_opt_out(store: Store, python: Python, tmp_path: Path, how: str) -> None:
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
    python(script, **environment).succeed()
    assert len(store.runs()) == 0


def test_a_hook_that_breaks_everything_costs_no_fit(store: Store, tmp_path: Path, python: Python) -> None:
    from tests.plugins.test_environment import plugin

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
    process = python(
        "import runlore; runlore.autolog(); from sklearn.dummy import DummyClassifier;"
        "print(DummyClassifier().fit([[1], [2]], [0, 1]).predict([[1]]))",
        PYTHONPATH=plugin(tmp_path, "broken", code),
    )
    assert process.succeed() == "[0]\n"
    assert process.err.count("Warning") == 1
    (run,) = store.runs()
    assert run.status == "finished"
    assert len([item for item in run.missing if "broken" in item["what"] + item["why"]]) == 3


def test_a_disk_that_is_full_costs_no_fit(tmp_path: Path, python: Python) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    try:
        process = python(
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


def test_the_training_data_may_be_a_gigabyte_of_nothing_and_is_not_copied(
    autologged: Store,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runlore.plugins.data.WHOLE_BYTES", 1 << 20)
    data = np.zeros((300_000, 4))
    DummyClassifier().fit(data, np.zeros(300_000))
    run = autologged.runs()[0]
    assert run.data["X"]["sampled"] is True
    assert run.data["y"]["sampled"] is True
    assert "missing" not in run.data["X"]
