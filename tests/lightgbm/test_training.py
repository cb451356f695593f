"""What is recorded of `lightgbm.train` and `lightgbm.cv`: points, params, data, the end, files."""

import copy
import csv
import math
import pickle
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pytest

import runlore
from runlore import Store
from runlore.errors import RunloreWarning
from runlore_lightgbm import RunloreCallback, _framework
from runlore_lightgbm._metrics import numbers_of
from tests.lightgbm.models import PARAMS, datasets, only, rows, train, when

# Points


@pytest.mark.shows("lightgbm", "metrics")
def test_each_set_and_metric_has_a_point_at_each_iteration(store: Store) -> None:
    result: Any = {}
    params = {**PARAMS, "metric": ["binary_logloss", "auc"]}
    train(RunloreCallback(), lightgbm.record_evaluation(result), params=params)
    run = only(store)
    assert set(run.metrics) == {f"{name}/{metric}" for name, metrics in result.items() for metric in metrics}
    assert len(run.metrics) == 4
    for name, metrics in result.items():
        for metric, values in metrics.items():
            series = run.metrics[f"{name}/{metric}"]
            assert (series.steps.tolist(), series.values.tolist()) == ([1, 2, 3, 4, 5], values)


@pytest.mark.shows("lightgbm", "early stopping")
@pytest.mark.parametrize("by", ["callback", "param"])
def test_early_stopping_tells_the_best_iteration_and_why(store: Store, by: str) -> None:
    params = {**PARAMS, "n_iter_no_change": 3} if by == "param" else PARAMS
    stop = [] if by == "param" else [lightgbm.early_stopping(3, verbose=False)]
    booster = train(RunloreCallback(), *stop, rounds=300, params=params)
    run = only(store)
    best = {
        f"best_score.{name}/{metric}": value
        for name, found in booster.best_score.items()
        for metric, value in found.items()
    }
    assert run.summary == {"best_iteration": booster.best_iteration, **best}
    assert run.tags["stopped"] == f"step {booster.best_iteration + 3}: no better score in 3 iterations"
    if by == "callback":
        assert run.params["callbacks.EarlyStopping.stopping_rounds"] == 3


def test_a_callback_may_end_a_training(store: Store) -> None:
    def stop(model: Any) -> None:
        raise lightgbm.callback.EarlyStopException(0, [])

    train(RunloreCallback(), when(2, stop))
    run = only(store)
    assert (run.status, run.tags["stopped"]) == ("finished", "step 2: a callback has ended it")


def test_a_training_that_met_no_early_stopping_has_a_best_iteration_only(store: Store) -> None:
    booster = train(RunloreCallback(), lightgbm.early_stopping(50, verbose=False))
    run = only(store)
    assert run.summary["best_iteration"] == booster.best_iteration
    assert "stopped" not in run.tags


def test_nan_is_recorded_as_itself(store: Store) -> None:
    train(RunloreCallback(), feval=lambda predicted, data: ("odd", math.nan, False))
    assert np.isnan(only(store).metrics["held out/odd"].values).all()


def test_a_training_without_valid_sets_says_what_is_missing(store: Store) -> None:
    train(RunloreCallback(), valid_sets=None, valid_names=None)
    run = only(store)
    assert (run.status, dict(run.metrics)) == ("finished", {})
    assert [item["what"] for item in run.missing] == ["metrics"]


def test_a_training_without_a_metric_says_what_is_missing(store: Store) -> None:
    train(RunloreCallback(), params={**PARAMS, "metric": "none"})
    assert only(store).missing[0]["why"] == "nothing was evaluated: that takes valid_sets, or an eval_set, and a metric"


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_sets_of_one_name_are_kept_apart(store: Store, how: str) -> None:
    told: dict[str, Any] = {}
    sets = {"valid_sets": [(data := datasets())[1], data[0].create_valid(*rows(50, 3))], "valid_names": ["set", "set"]}
    callbacks = [lightgbm.record_evaluation(told), *([RunloreCallback()] if how == "callback" else [])]
    with runlore.autolog("lightgbm") if how == "autolog" else nullcontext():
        lightgbm.train(PARAMS, data[0], 5, callbacks=callbacks, **sets)
    run, values = only(store), told["set"]["binary_logloss"]
    curves = [run.metrics[f"{name}/binary_logloss"].values.tolist() for name in ("set", "set_1")]
    assert [value for pair in zip(*curves, strict=True) for value in pair] == values
    assert (run.data["set"]["shape"], run.data["set_1"]["shape"]) == ([60, 3], [50, 3])


def test_results_of_older_versions_are_tuples() -> None:
    assert numbers_of([("valid", "l2", 0.5, False)]) == {"valid/l2": 0.5}
    assert numbers_of([("valid", "l2", 0.5, False, 0.1)]) == {"valid/l2-mean": 0.5, "valid/l2-stdv": 0.1}


# Cross-validation


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_cross_validation_is_a_run_with_its_folds_below(store: Store, how: str) -> None:
    plain = cross_validate()
    if how == "callback":
        table = cross_validate(RunloreCallback("cv"))
    else:
        with runlore.autolog("lightgbm"):
            table = cross_validate()
    boosters, before = table.pop("cvbooster"), plain.pop("cvbooster")
    assert boosters.model_to_string() == before.model_to_string()
    assert table == plain
    run = store.runs("parent is None")[0]
    assert run.tags["method"] == "cv"
    for name, values in table.items():
        assert run.metrics[name.replace(" ", "/", 1)].values.tolist()[: len(values)] == values
    assert run.summary["best_iteration"] == len(values) == boosters.best_iteration
    assert run.params["cv.nfold"] == 3
    assert [fold.status for fold in run.children] == ["finished"] * 3
    folds = [fold.metrics["valid/binary_logloss"] for fold in run.children]
    assert np.mean([fold.values for fold in folds], 0) == pytest.approx(run.metrics["valid/binary_logloss-mean"].values)
    assert folds[0].steps.tolist() == run.metrics["valid/binary_logloss-mean"].steps.tolist()


def cross_validate(*callbacks: Any) -> Any:
    stop = lightgbm.early_stopping(2, verbose=False)
    return lightgbm.cv(
        PARAMS, datasets()[0], 60, nfold=3, eval_train_metric=True, return_cvbooster=True, callbacks=[*callbacks, stop]
    )


# Params


@pytest.mark.shows("lightgbm", "params")
def test_params_are_the_users_and_what_the_booster_made_of_them(store: Store) -> None:
    params = {**PARAMS, "reg_alpha": 0.5, "metric": ["auc"]}
    train(RunloreCallback(), params=params)
    run = only(store)
    passed = {name: value for name, value in run.params.items() if name not in run.captured}
    assert passed == {**params, "num_boost_round": 5}
    assert (run.params["lambda_l2"], run.params["boosting"], run.params["seed"]) == (0, "gbdt", 0)
    assert not {"lambda_l1", "num_iterations"} & set(run.params), "told already, by another name"


def test_functions_are_recorded_by_name(store: Store) -> None:
    def squared(predicted: Any, data: Any) -> Any:
        return predicted - data.get_label(), np.ones(len(predicted))

    def distance(predicted: Any, data: Any) -> Any:
        return "distance", float(abs(predicted - data.get_label()).mean()), False

    train(RunloreCallback(), params={**PARAMS, "objective": squared}, feval=[distance])
    run = only(store)
    assert run.params["objective"].endswith("squared")
    assert "distance" in str(run.params["feval"])
    assert run.metrics["held out/distance"].count == 5


# Importances


def test_subsets_and_several_sequences_are_described(store: Store) -> None:
    class Rows(lightgbm.Sequence):  # type: ignore[misc]
        batch_size = 8

        def __init__(self, values: Any) -> None:
            self.values, self.reads = values, 0

        def __getitem__(self, place: Any) -> Any:
            self.reads += 1
            return self.values[place]

        def __len__(self) -> int:
            return len(self.values)

    x, y = rows()[0].astype(float), rows()[1]
    whole = lightgbm.Dataset(x, y, free_raw_data=False)
    lightgbm.train(PARAMS, whole.subset(list(range(70))), 2, callbacks=[RunloreCallback("subset")])
    plain, seen = [Rows(x[:50]), Rows(x[50:])], [Rows(x[:50]), Rows(x[50:])]
    lightgbm.train(PARAMS, lightgbm.Dataset(plain, y), 2)
    lightgbm.train(PARAMS, lightgbm.Dataset(seen, y), 2, callbacks=[RunloreCallback("sequences")])
    assert [part.reads for part in seen] == [part.reads for part in plain]
    subset, sequences = (store.run(name).data for name in ("subset", "sequences"))
    with store.start_run("known") as known:
        assert subset["train_set"]["fingerprint"] == known.log_data("x", x)
    assert (subset["train_set"]["subset_rows"], subset["train_set_rows"]["shape"]) == (70, [70])
    assert (sequences["train_set"]["rows"], "fingerprint" in sequences["train_set"]) == (120, False)


def test_importances_are_a_table(store: Store, tmp_path: Path) -> None:
    booster = train(RunloreCallback())
    (table,) = [item for item in only(store).artifacts if item.name == "feature_importance.csv"]
    read = {row["feature"]: row for row in csv.DictReader(table.restore(tmp_path / "out").open())}
    for kind in ("split", "gain"):
        told = dict(zip(booster.feature_name(), booster.feature_importance(kind).tolist(), strict=True))
        assert {name: float(row[kind]) for name, row in read.items()} == {
            name: value for name, value in told.items() if value
        }


# Ends


@pytest.mark.parametrize("params", [{"objective": "no such"}, {"num_leaves": 1}, {"num_iterations": 0}])
def test_params_that_are_refused_make_a_failed_run(store: Store, params: Any) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        train(RunloreCallback(), params={**params, "verbosity": -1})
    run = only(store)
    assert (run.status, run.error["type"].rpartition(".")[2]) == ("failed", type(caught.value).__name__)
    assert set(params) <= set(run.params)
    assert "train_set" in run.data


def test_an_objective_that_raises_makes_a_failed_run(store: Store) -> None:
    error = ZeroDivisionError("in the objective")

    def objective(predicted: Any, data: Any) -> Any:
        raise error

    with pytest.raises(ZeroDivisionError) as caught:
        train(RunloreCallback(), params={**PARAMS, "objective": objective})
    assert caught.value is error
    assert (only(store).status, only(store).error["message"]) == ("failed", "in the objective")


def test_a_call_that_is_wrong_fails_as_without_us(store: Store) -> None:
    with runlore.autolog("lightgbm"), pytest.raises(TypeError, match="only accepts Dataset"):
        lightgbm.train(PARAMS, "no dataset")
    assert only(store).status == "failed"
    with runlore.autolog("lightgbm"), pytest.raises(TypeError):
        lightgbm.train(PARAMS, datasets()[0], callbacks=7)
    assert len(store.runs()) == 1


def test_a_callback_says_where_it_can_record_nothing(store: Store) -> None:
    """`train` was imported by its name before anything of ours was."""
    by_name = lightgbm.train
    while by_name.__code__.co_filename != lightgbm.engine.__file__:
        by_name = by_name.__wrapped__
    with pytest.warns(RunloreWarning, match="import runlore_lightgbm before"):
        by_name(PARAMS, datasets()[0], 2, callbacks=[RunloreCallback()])
    assert len(store.runs()) == 0


def test_another_version_is_told_of_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_framework, "TESTED", ("3.2",))
    with pytest.warns(RunloreWarning, match="lightgbm 4"):
        _framework.check_version()


# Files


@pytest.mark.shows("lightgbm", "checkpoints")
def test_models_that_a_callback_saves_are_checkpoints(store: Store, tmp_path: Path) -> None:
    def save(model: Any) -> None:
        model.save_model(tmp_path / "3.txt")
        model.save_model(tmp_path / "first.txt", num_iteration=1)

    train(RunloreCallback(), when(3, save))
    found = {item.name: (item.kind, item.step) for item in only(store).artifacts if item.kind == "checkpoint"}
    assert found == {"3.txt": ("checkpoint", 3), "first.txt": ("checkpoint", 1)}


def test_a_saved_model_is_added_to_its_run(store: Store, tmp_path: Path) -> None:
    """By default lightgbm saves the iterations up to the best one."""
    booster = train(RunloreCallback(), lightgbm.early_stopping(3, verbose=False), rounds=300)
    booster.save_model(tmp_path / "best.txt")
    booster.save_model(tmp_path / "all.txt", num_iteration=-1)
    found = {item.name: item.step for item in only(store).artifacts if item.kind == "model"}
    saved = {name: lightgbm.Booster(model_file=tmp_path / name).current_iteration() for name in ("best.txt", "all.txt")}
    assert found == saved
    assert found["best.txt"] == booster.best_iteration
    assert b"runlore" not in (tmp_path / "best.txt").read_bytes()


def test_a_model_that_was_trained_on_is_of_no_run(store: Store, tmp_path: Path) -> None:
    booster = train(RunloreCallback(), keep_training_booster=True)
    booster.update()
    booster.save_model(tmp_path / "later.txt")
    assert "later.txt" not in {item.name for item in only(store).artifacts}


# Going on


def test_a_booster_that_goes_on_is_linked_to_its_run(store: Store) -> None:
    first = train(RunloreCallback())
    train(RunloreCallback(), init_model=first, rounds=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": 5}]
    assert second.metrics["train/binary_logloss"].steps.tolist() == [6, 7, 8]


WAYS: Any = {
    "copy": copy.deepcopy,
    "pickle": lambda booster: pickle.loads(pickle.dumps(booster)),
    "text": lambda booster: lightgbm.Booster(model_str=booster.model_to_string()),
    "text of another": lambda booster: copy.copy(booster).model_from_string(booster.model_to_string()),
    "the first three": lambda booster: lightgbm.Booster(model_str=booster.model_to_string(num_iteration=3)),
}


@pytest.mark.parametrize(("way", "step"), list(zip(WAYS, [5, 5, 5, 5, 3], strict=True)))
def test_what_a_booster_became_in_memory_is_linked_to_its_run(store: Store, way: str, step: int) -> None:
    start = WAYS[way](train(RunloreCallback()))
    train(RunloreCallback(), init_model=start, rounds=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": step}]


def test_what_was_trained_on_before_it_was_pickled_is_linked_to_nothing(store: Store) -> None:
    booster = train(RunloreCallback(), keep_training_booster=True)
    booster.update()
    train(RunloreCallback(), init_model=pickle.loads(pickle.dumps(booster)))
    assert store.runs()[0].links == []


@pytest.mark.shows("lightgbm", "resume as lineage")
@pytest.mark.parametrize("loaded", [False, True])
def test_a_file_that_a_training_goes_on_from_is_lineage(store: Store, tmp_path: Path, loaded: bool) -> None:
    path = tmp_path / "model.txt"
    train(RunloreCallback()).save_model(path)
    train(RunloreCallback(), init_model=lightgbm.Booster(model_file=path) if loaded else str(path), rounds=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": 5}]


# The user's own


def test_a_list_of_callbacks_and_its_items_stay_as_they_are(store: Store) -> None:
    """lightgbm gives them an order by their place."""
    plain = [when(1, lambda model: None), when(2, lambda model: None)]
    lightgbm.train(PARAMS, datasets()[0], 2, callbacks=plain)
    callbacks = [when(1, lambda model: None), when(2, lambda model: None)]
    before = list(callbacks)
    with runlore.autolog("lightgbm"):
        lightgbm.train(PARAMS, datasets()[0], 2, callbacks=callbacks)
    assert callbacks == before
    assert [vars(item) for item in callbacks] == [vars(item) for item in plain] == [{"order": -2}, {"order": -1}]


def test_a_callback_is_pickled(store: Store) -> None:
    train(pickle.loads(pickle.dumps(RunloreCallback("named", tags={"team": "vision"}))))
    assert (only(store).name, only(store).tags["team"]) == ("named", "vision")


def test_a_copy_of_a_booster_is_of_its_run(store: Store, tmp_path: Path) -> None:
    """A file of it was nobody's."""
    copied = copy.deepcopy(train(RunloreCallback()))
    copied.save_model(tmp_path / "copied.txt", num_iteration=2)
    files = {item.name: item.step for item in only(store).artifacts if item.kind == "model"}
    assert files == {"copied.txt": 2}


def test_what_is_set_anew_for_each_iteration_is_a_curve(store: Store) -> None:
    anew = lightgbm.reset_parameter(learning_rate=lambda number: 0.5**number, bagging_fraction=[0.5, 0.5, 0.75])
    train(RunloreCallback(), anew, rounds=3)
    run = only(store)
    assert run.metrics["learning_rate"].values.tolist() == [1, 0.5, 0.25]
    assert run.metrics["bagging_fraction"].steps.tolist() == [1, 2, 3]
