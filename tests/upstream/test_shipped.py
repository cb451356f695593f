"""The tests that xgboost and Optuna ship in their wheels come to the same with autolog on; a file here calls them."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from runlore import Store
from tests.upstream.outcomes import both, differing

XGBOOST = """
import numpy as np
import pytest
import xgboost
from sklearn.datasets import make_classification
from xgboost.testing import basic_models, callbacks, continuation, updater, with_skl

TREES = pytest.mark.parametrize("trees", ["hist", "approx"])
X, Y = make_classification(400, 12, n_informative=6, flip_y=0.15, random_state=0)

def matrices():
    return xgboost.DMatrix(X[:300], Y[:300]), xgboost.DMatrix(X[300:], Y[300:])

@TREES
def test_eta_decay(trees):
    callbacks.run_eta_decay(trees, *matrices(), "cpu")

@pytest.mark.parametrize(("trees", "objective"), callbacks.tree_methods_objs())
def test_eta_decay_leaf_output(trees, objective):
    callbacks.run_eta_decay_leaf_output(trees, objective, *matrices(), "cpu")

@TREES
def test_custom_objective(trees):
    x, y = make_classification(400, 12, n_informative=6, flip_y=0, class_sep=3, random_state=0)
    basic_models.run_custom_objective(trees, "cpu", xgboost.DMatrix(x, y), xgboost.DMatrix(x, y))

@TREES
def test_continuation(trees):
    continuation.run_training_continuation_model_output("cpu", trees)

@TREES
def test_boost_from_prediction(trees):
    with_skl.run_boost_from_prediction_binary(trees, "cpu", X, Y, None)

@TREES
def test_invalid_category(trees):
    updater.run_invalid_category(trees, "cpu")

def test_intercept():
    with_skl.run_intercept("cpu")

def test_recoding():
    with_skl.run_recoding("cpu")
"""
OPTUNA = """
import optuna
import pytest
from optuna.testing.pytest_samplers import BasicSamplerTestCase, MultiObjectiveSamplerTestCase

class TestRandom(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return optuna.samplers.RandomSampler

class TestTPE(BasicSamplerTestCase, MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self):
        return lambda: optuna.samplers.TPESampler(n_startup_trials=0)
"""
SUITES = {"xgboost": (XGBOOST, 18), "optuna": (OPTUNA, 50)}  # and how many pass at least


@pytest.mark.stress
@pytest.mark.parametrize("framework", [name for name in SUITES if find_spec(name) and find_spec(f"{name}.testing")])
def test_its_own_tests_come_to_the_same(framework: str, store: Store, tmp_path: Path) -> None:
    text, passed = SUITES[framework]
    tests = tmp_path / f"test_{framework}.py"
    tests.write_text(text)
    off, on = both([tests], tmp_path)
    assert differing(off, on) == {}
    assert list(on.values()).count("passed") >= passed, on
    assert len(store.runs()) >= passed
    assert len(store.runs("status == 'running'")) == 0
