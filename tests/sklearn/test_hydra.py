"""hydra makes estimators and searches of a config: the record is that of a script that calls them."""

from typing import Any

import pytest

from runlore import Store
from tests.sklearn.models import X, Y, only

hydra = pytest.importorskip("hydra")
from omegaconf import OmegaConf  # noqa: E402  # it comes with hydra

TREE = {"_target_": "sklearn.tree.DecisionTreeClassifier", "max_depth": 2}
PIPELINE = {
    "_target_": "sklearn.pipeline.Pipeline",
    "steps": [["scale", {"_target_": "sklearn.preprocessing.StandardScaler"}], ["tree", TREE]],
}
SEARCH = {
    "_target_": "sklearn.model_selection.GridSearchCV", "estimator": TREE, "param_grid": {"max_depth": [1, 3]}, "cv": 2,
}  # fmt: skip


def instantiate(config: dict[Any, Any], convert: str) -> Any:
    return hydra.utils.instantiate(OmegaConf.create(config), _convert_=convert)


@pytest.mark.parametrize("convert", ["none", "all"])
def test_an_estimator_of_a_config_is_recorded(autologged: Store, convert: str) -> None:
    model = instantiate(TREE, convert).fit(X, Y)
    run = only(autologged)
    assert (run.tags["estimator"], run.params["max_depth"], run.status) == ("DecisionTreeClassifier", 2, "finished")
    assert run.metrics["train_score"].last == model.score(X, Y)
    assert run.missing == []


@pytest.mark.parametrize("config", [PIPELINE, SEARCH], ids=["pipeline", "search"])
def test_a_pipeline_and_a_search_of_a_config_are_one_run(autologged: Store, config: dict[Any, Any]) -> None:
    instantiate(config, "all").fit(X, Y)
    (run,) = autologged.runs("parent is None")
    assert (run.tags["estimator"], run.status) == (config["_target_"].rpartition(".")[2], "finished")
    assert [child.params["max_depth"] for child in run.children] == ([1, 3] if config is SEARCH else [])


def test_the_callback_of_a_config_records_its_estimator(store: Store) -> None:
    callbacks = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks since 1.9")
    own = instantiate({"_target_": "runlore_sklearn.RunloreCallback"}, "none")
    model = instantiate({"_target_": "sklearn.linear_model.LogisticRegression", "max_iter": 300}, "none")
    assert isinstance(model, callbacks.CallbackSupportMixin)
    model.set_callbacks(own).fit(X, Y)
    run = only(store)
    assert (run.tags["estimator"], run.params["max_iter"], run.status) == ("LogisticRegression", 300, "finished")
