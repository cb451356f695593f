"""Estimators of scikit-learn's kind: one fit is one run, whoever of the two integrations records it."""

import inspect
from collections import Counter
from typing import Any

import lightgbm
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore_lightgbm import RunloreCallback
from tests.lightgbm.models import only, rows

WAYS: dict[str, tuple[str, ...]] = {
    "callback": (), "lightgbm": ("lightgbm",), "sklearn first": ("sklearn", "lightgbm"),
    "both": ("lightgbm", "sklearn"), "both and a callback": ("lightgbm", "sklearn"),
}  # fmt: skip


def classifier(**settings: Any) -> Any:
    settings = {"n_estimators": 60, "num_leaves": 4, "min_child_samples": 5, "n_jobs": 1, "verbosity": -1, **settings}
    return lightgbm.LGBMClassifier(**settings)


def fitted(estimator: Any, *callbacks: Any) -> Any:
    x, y = rows()
    stop = lightgbm.early_stopping(3, verbose=False)
    labels = np.array(["no", "yes"])  # which lightgbm encodes
    sets = [(part, labels[told]) for part, told in ((x, y), rows(60, 2))]
    return estimator.fit(*sets[0], eval_set=sets, eval_metric="auc", callbacks=[*callbacks, stop])


@pytest.mark.parametrize("way", WAYS)
def test_a_fit_is_one_run_with_all_that_lightgbm_tells(store: Store, way: str) -> None:
    plain = fitted(classifier())
    with runlore.autolog(*(WAYS[way] or ("lightning",))):
        model = fitted(classifier(), *([RunloreCallback()] if "callback" in way else []))
    assert model.booster_.model_to_string() == plain.booster_.model_to_string()
    run = only(store)
    assert run.status == "finished"
    assert run.tags["integration"] == ("sklearn" if "sklearn" in WAYS[way] else "lightgbm")
    assert run.tags["estimator"] == "LGBMClassifier"
    for name, metrics in model.evals_result_.items():
        for metric, values in metrics.items():
            series = run.metrics[f"{name}/{metric}"]
            assert series.values.tolist() == values
            assert series.steps.tolist() == list(range(1, len(values) + 1))
    assert run.summary["best_iteration"] == model.best_iteration_
    assert run.summary["best_score.valid_1/auc"] == model.best_score_["valid_1"]["auc"]
    assert run.tags["stopped"].endswith("no better score in 3 iterations")
    assert (run.params["num_leaves"], run.params["n_estimators"], run.params["feature_fraction_seed"]) == (4, 60, 2)
    assert not {"num_leaves", "n_estimators"} & set(run.captured)
    assert {"X", "y"} <= set(run.data)
    assert "feature_importance.csv" in {item.name for item in run.artifacts}


@pytest.mark.parametrize("way", ["callback", "both"])
def test_the_metrics_of_a_fit_are_a_param(store: Store, way: str) -> None:
    with runlore.autolog(*(WAYS[way] or ("lightning",))):
        callbacks = [RunloreCallback()] if way == "callback" else []
        classifier().fit(*rows(), eval_set=[rows()], eval_metric=["auc", "error"], callbacks=callbacks)
        classifier().fit(*rows(), eval_set=[rows()], callbacks=callbacks)
    without, run = store.runs()
    assert (len(run.params["eval_metric"]), "eval_metric" in without.params) == (2, False)
    assert {"X", "y", "eval_set.0", "eval_set.0.y"} == set(run.data)


def test_the_points_of_a_fit_are_written_once(store: Store, runlore_plugins: Any) -> None:
    """Also where scikit-learn's integration reads the same numbers off the estimator."""
    seen = Counter[str]()

    class Counting:
        @runlore.hookimpl
        def runlore_points_logged(self, points: Any) -> None:
            seen.update({item.key: len(item.steps) for item in points})

    runlore_plugins(Counting())
    with runlore.autolog("sklearn", "lightgbm"):
        model = fitted(classifier())
    assert seen["valid_1/auc"] == len(model.evals_result_["valid_1"]["auc"])


def test_a_pipeline_has_the_iterations_of_its_last_step(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "lightgbm"):
        make_pipeline(StandardScaler(), classifier(n_estimators=4)).fit(x, y, lgbmclassifier__eval_set=[(x, y)])
    run = only(store)
    assert run.tags["estimator"] == "Pipeline"
    assert run.metrics["valid_0/binary_logloss"].steps.tolist() == [1, 2, 3, 4]


@pytest.mark.shows("lightgbm", "search trees")
@pytest.mark.parametrize("jobs", [1, 2])
def test_a_search_is_a_tree_without_loose_fits(store: Store, jobs: int) -> None:
    x, y = rows()
    model = classifier(n_estimators=3)
    with runlore.autolog("sklearn", "lightgbm"):
        GridSearchCV(model, {"num_leaves": [2, 3]}, cv=2, n_jobs=jobs).fit(x, y)
        cross_val_score(model, x, y, cv=2)
    assert [len(run.children) for run in store.runs("parent is None")] == [2, 2]
    assert len(store.runs()) == 6


@pytest.mark.parametrize("cls", ["LGBMRegressor", "LGBMRanker", "LGBMClassifier"])
def test_every_estimator_is_recorded_with_the_users_own_data(store: Store, cls: str) -> None:
    x, y = rows()
    labels = np.array(["no", "yes"])[y] if cls == "LGBMClassifier" else y
    settings: Any = {"group": [60, 60]} if cls == "LGBMRanker" else {}
    with runlore.autolog("lightgbm"):
        getattr(lightgbm, cls)(n_estimators=2, verbosity=-1).fit(x, labels, **settings)
    run = only(store)
    assert (run.tags["estimator"], run.params["n_estimators"]) == (cls, 2)
    assert set(run.data) == {"X", "y", *settings}
    with store.start_run("known") as known:
        assert run.data["y"]["fingerprint"] == known.log_data("y", labels)


def test_all_that_belongs_to_the_rows_of_a_set_is_described(store: Store) -> None:
    x, y = rows()
    ones, pair = np.ones(120), [(x, y)]
    settings: Any = {"init_score": ones, "eval_init_score": [ones], "eval_sample_weight": [ones]}
    with runlore.autolog("lightgbm"):
        lightgbm.LGBMRanker(n_estimators=2, verbosity=-1).fit(
            x, y, group=[60, 60], eval_set=pair, eval_group=[[60, 60]]
        )
        lightgbm.LGBMRegressor(n_estimators=2, verbosity=-1).fit(x, y, eval_set=pair, **settings)
    regressor, ranker = store.runs()
    assert set(ranker.data) == {"X", "y", "group", "eval_set.0", "eval_set.0.y", "eval_set.0.group"}
    assert {"init_score", "eval_set.0.init_score", "eval_set.0.sample_weight"} < set(regressor.data)


@pytest.mark.skipif("eval_X" not in inspect.signature(lightgbm.LGBMModel.fit).parameters, reason="newer lightgbm")
@pytest.mark.parametrize("count", [1, 2])
def test_sets_by_features_and_targets_are_described(store: Store, count: int) -> None:
    x, y = rows()
    sets: Any = {"eval_X": x, "eval_y": y} if count == 1 else {"eval_X": (x, x[:50]), "eval_y": (y, y[:50])}
    with runlore.autolog("lightgbm"):
        lightgbm.LGBMClassifier(n_estimators=2, verbosity=-1).fit(x, np.array(["no", "yes"])[y], **sets)
    names = {name for place in range(count) for name in (f"eval_set.{place}", f"eval_set.{place}.y")}
    assert set(only(store).data) == {"X", "y", *names}


def test_what_an_estimator_hands_on_was_passed(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("lightgbm"):
        model = lightgbm.LGBMRegressor(n_estimators=2, objective="quantile", alpha=0.25, verbosity=-1)
        model.fit(np.abs(x), y, categorical_feature=[2])
    run = only(store)
    assert (run.params["alpha"], run.params["categorical_feature"]) == (0.25, [2])
    assert {"alpha", "categorical_feature", "verbosity"}.isdisjoint(run.captured)


def test_a_second_fit_is_linked_to_the_first(store: Store) -> None:
    model = classifier(n_estimators=2)
    with runlore.autolog("lightgbm"):
        fitted(model)
        fitted(model)
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]


def test_a_fit_that_goes_on_from_an_estimator_is_lineage(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("lightgbm"):
        first = classifier(n_estimators=2).fit(x, y)
        classifier(n_estimators=3).fit(x, y, init_model=first, eval_set=[(x, y)])
    run, before = store.runs()
    assert run.links == [{"kind": "resumed_from", "run": before.id, "step": 2}]
    assert run.metrics["training/binary_logloss"].steps.tolist() == [3, 4, 5]


def test_a_failure_is_told_in_the_run_of_the_fit(store: Store) -> None:
    x, y = rows()
    with runlore.autolog("sklearn", "lightgbm"), pytest.raises(lightgbm.basic.LightGBMError):
        classifier(objective="no such").fit(x, y)
    assert only(store).status == "failed"


def test_what_the_callback_is_told_counts_where_autolog_records_the_estimator(store: Store) -> None:
    """The run that scikit-learn's autolog began had no name, experiment and tags of it."""
    ours = RunloreCallback("mine", experiment="digits", tags={"team": "vision"})
    with runlore.autolog():
        lightgbm.LGBMClassifier(n_estimators=2, verbose=-1).fit(*rows(), callbacks=[ours])
    run = only(store)
    assert (run.name, run.experiment, run.tags["team"]) == ("mine", "digits", "vision")
    assert run.tags["integration"] == "sklearn"
