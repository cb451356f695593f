"""What functions of the user's train in the workers of a pool: each fit is a run below the program's, however it began.

What a library fits in its pool is a part of what it was called for.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store
from tests.programs.test_borrowing import both

PROGRAM = """
import argparse, multiprocessing as mp
from concurrent.futures import ProcessPoolExecutor
import joblib
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

X, y = load_iris(return_X_y=True)
ALPHAS = [0.1, 1.0, 10.0]

class Own(ClassifierMixin, BaseEstimator):
    def __init__(self, alpha=1.0):
        self.alpha = alpha
    def fit(self, X, y):
        self.model_ = RidgeClassifier(alpha=self.alpha).fit(X, y)
        self.classes_ = self.model_.classes_
        return self
    def predict(self, X):
        return self.model_.predict(X)

def train(alpha):
    model = RidgeClassifier(alpha=alpha).fit(X, y)
    joblib.dump(model, f"ridge{alpha}.joblib")
    return float(model.score(X, y))

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("how")
    how = parser.parse_args().how
    if how in ("fork", "spawn", "forkserver"):
        with mp.get_context(how).Pool(2) as pool:
            print(pool.map(train, ALPHAS, chunksize=1))
    elif how == "executor":
        with ProcessPoolExecutor(2, mp_context=mp.get_context("spawn")) as pool:
            print(list(pool.map(train, ALPHAS)))
    elif how == "process":
        processes = [mp.get_context("fork").Process(target=train, args=(alpha,)) for alpha in ALPHAS]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
        print([process.exitcode for process in processes])
    elif how in ("loky", "multiprocessing"):
        print(joblib.Parallel(n_jobs=2, backend=how)(joblib.delayed(train)(alpha) for alpha in ALPHAS))
    elif how == "method":
        models = joblib.Parallel(n_jobs=2)(joblib.delayed(RidgeClassifier(alpha=a).fit)(X, y) for a in ALPHAS)
        print([model.score(X, y) for model in models])
    else:
        print(GridSearchCV(Own(), {"alpha": ALPHAS}, n_jobs=2, cv=2).fit(X, y).best_score_)
        print(joblib.Parallel(n_jobs=2)(joblib.delayed(train)(alpha) for alpha in ALPHAS))
        print(cross_val_score(Own(), X, y, n_jobs=2, cv=2))
"""
STRESS = pytest.mark.stress
WAYS = ["fork", "loky", *(pytest.param(way, marks=STRESS) for way in (
    "spawn", "forkserver", "executor", "process", "multiprocessing", "method",
))]  # fmt: skip


@pytest.mark.parametrize("how", WAYS)
def test_each_fit_of_a_worker_is_a_run_below_the_programs(store: Store, tmp_path: Path, how: str) -> None:
    (tmp_path / "pools.py").write_text(PROGRAM)
    bare, recorded = both(tmp_path, sys.executable, "pools.py", how)
    assert bare.returncode == 0, bare.stderr
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)
    (top,) = store.runs("parent is None")
    below = [run for run in store.runs() if run.id != top.id]
    assert [(run.parent, run.status) for run in below] == [(top, "finished")] * 3
    assert sorted(run.params["alpha"] for run in below) == [0.1, 1.0, 10.0]
    saved = {item.name for run in below for item in run.artifacts if item.name.startswith("ridge")}
    assert saved == (set() if how == "method" else {"ridge0.1.joblib", "ridge1.0.joblib", "ridge10.0.joblib"})


@STRESS
def test_a_search_in_the_same_workers_makes_no_runs_of_its_fits(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pools.py").write_text(PROGRAM)
    bare, recorded = both(tmp_path, sys.executable, "pools.py", "search")
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)
    (top,) = store.runs("parent is None")
    found = [run.tags.get("estimator") for run in store.runs(f"parent == '{top.id}'", sort="id")]
    assert sorted(map(str, found)) == ["GridSearchCV", "Own", *["RidgeClassifier"] * 3]


UNDER_AUTOLOG = """
import multiprocessing as mp
import runlore
runlore.autolog("sklearn")
from sklearn.dummy import DummyClassifier

def train(number):
    return DummyClassifier(random_state=number).fit([[0], [1]], [0, 1]).random_state

if __name__ == "__main__":
    with runlore.start_run(), mp.get_context("fork").Pool(2) as pool:
        assert pool.map(train, range(2)) == [0, 1]
"""


def test_under_autolog_they_are_below_the_scripts_run(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pools.py").write_text(UNDER_AUTOLOG)
    subprocess.run([sys.executable, "pools.py"], cwd=tmp_path, check=True)
    (top,) = store.runs("parent is None")
    assert sorted(run.params["random_state"] for run in top.children) == [0, 1]


BESIDE_A_LOOP = """
import multiprocessing as mp
import torch
from sklearn.dummy import DummyClassifier

def probe(number):
    return DummyClassifier().fit([[0], [1]], [0, 1]).n_outputs_

if __name__ == "__main__":
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model(torch.ones(1, 1)).sum().backward()
        optimizer.step()
        with mp.get_context("fork").Pool(1) as pool:
            assert pool.map(probe, range(2)) == [1, 1]
"""


@STRESS
def test_a_pool_that_is_forked_within_a_loop_works_for_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pools.py").write_text(BESIDE_A_LOOP)
    _, recorded = both(tmp_path, sys.executable, "pools.py")
    assert (recorded.returncode, recorded.stderr) == (0, "")
    (found,) = store.runs()
    assert "lr" in found.metrics


IN_THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
from sklearn.dummy import DummyClassifier
ready = threading.Barrier(8)

def train(number):
    ready.wait()
    return DummyClassifier().fit([[0], [1]], [0, 1]).n_outputs_

with ThreadPoolExecutor(8) as pool:
    print(list(pool.map(train, range(8))))
"""


def test_threads_that_begin_at_once_train_below_the_programs_run(store: Store, tmp_path: Path) -> None:
    """Some had no parent: the first one was still opening the program's run."""
    (tmp_path / "threads.py").write_text(IN_THREADS)
    bare, recorded = both(tmp_path, sys.executable, "threads.py")
    assert (recorded.stdout, recorded.stderr, recorded.returncode) == (bare.stdout, bare.stderr, 0)
    (top,) = store.runs("parent is None")
    assert len(list(top.children)) == 8
