"""A study is one run, its trials are runs below it, and what a trial trains is below that."""

import gc
import math
import multiprocessing
import os
import warnings
import weakref
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import optuna
import pytest

import runlore
from runlore import Store
from runlore_optuna import RunloreCallback


def quadratic(trial: Any) -> float:
    return float((trial.suggest_float("x", -3, 3) - 1) ** 2)


def children_of(run: Any) -> list[Any]:
    return sorted(run.children, key=lambda child: int(child.tags["trial"]))


def only(store: Store) -> Any:
    (run,) = store.runs("parent is None")
    return run


@pytest.mark.shows("optuna", "params", "metrics", "search trees")
def test_trials_are_children_with_params_distributions_points_and_attributes(autologged: Store) -> None:
    def objective(trial: Any) -> float:
        x = trial.suggest_float("x", 1e-3, 1, log=True)
        kind = trial.suggest_categorical("kind", ["a", "b"])
        for step in (2, 4):
            trial.report(x * step, step)
        trial.report(99.0, 4)  # Optuna keeps the first one
        trial.set_user_attr("note", kind * 2)
        return float(x)

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.set_user_attr("team", "vision")
    with pytest.warns(UserWarning, match="already reported"):
        study.optimize(objective, n_trials=3)
    run = only(autologged)
    assert [child.name for child in children_of(run)] == ["trial-0", "trial-1", "trial-2"]
    for child, trial in zip(children_of(run), study.trials, strict=True):
        assert {name: child.params[name] for name in trial.params} == trial.params
        assert not {"x", "kind"} & child.captured
        assert child.params["distributions.x"] == repr(trial.distributions["x"])
        assert child.params["distributions.kind"] == repr(trial.distributions["kind"])
        series = child.metrics["intermediate_value"]
        assert dict(zip(series.steps.tolist(), series.values.tolist(), strict=True)) == trial.intermediate_values
        assert child.metrics["value"].values.tolist() == [trial.value]
        assert (child.tags["state"], child.tags["user_attrs.note"]) == ("COMPLETE", trial.user_attrs["note"])
    assert run.metrics["value"].values.tolist() == [trial.value for trial in study.trials]
    assert run.params["best.x"] == study.best_params["x"]
    assert (run.params["best.trial"], run.summary["best_value"]) == (study.best_trial.number, study.best_value)
    assert run.params["directions"] == ["maximize"]
    assert (run.params["sampler"], run.tags["user_attrs.team"]) == ("RandomSampler", "vision")
    assert run.summary["trials.complete"] == 3


def test_every_state_of_a_trial_is_told(autologged: Store) -> None:
    def objective(trial: Any) -> float:
        trial.report(1.0, 7)
        if trial.number == 1:
            raise optuna.TrialPruned("no promise")
        if trial.number == 2:
            return math.nan
        if trial.number == 3:
            raise ValueError("caught")
        if trial.number == 4:
            raise KeyError("nobody catches this")
        return 1.0

    study = optuna.create_study()
    with pytest.raises(KeyError, match="nobody catches this"):
        study.optimize(objective, n_trials=9, catch=ValueError)
    run = only(autologged)
    found = children_of(run)
    assert [child.tags["state"] for child in found] == ["COMPLETE", "PRUNED", "FAIL", "FAIL", "FAIL"]
    assert [child.status for child in found] == ["finished", "finished", "failed", "failed", "failed"]
    assert found[1].tags["stopped"] == "step 7: pruned: no promise"
    assert "NaN" in str(found[2].missing)
    assert [child.error["type"] for child in found[3:]] == ["ValueError", "KeyError"]
    assert (run.status, run.error["type"]) == ("failed", "KeyError")
    assert [run.summary[f"trials.{state}"] for state in ("complete", "pruned", "fail")] == [1, 1, 3]
    assert run.metrics["value"].steps.tolist() == [0]


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_threads_share_one_study(store: Store, how: str) -> None:
    study = optuna.create_study()
    callbacks = [RunloreCallback()] if how == "callback" else None
    with runlore.autolog("optuna") if how == "autolog" else pytest.MonkeyPatch.context():
        study.optimize(quadratic, n_trials=12, n_jobs=4, callbacks=callbacks)
    found = children_of(only(store))
    assert [child.params["x"] for child in found] == [trial.params["x"] for trial in study.trials]
    assert [child.status for child in found] == ["finished"] * 12
    assert len(store.runs()) == 13


def test_a_failure_in_a_thread_leaves_no_trial_open(autologged: Store) -> None:
    def objective(trial: Any) -> float:
        if trial.number == 3:
            raise ValueError("in a thread")
        return quadratic(trial)

    with pytest.raises(ValueError, match="in a thread"):
        optuna.create_study().optimize(objective, n_trials=12, n_jobs=4)
    assert {run.status for run in autologged.runs()} <= {"finished", "failed"}
    assert only(autologged).status == "failed"


@pytest.mark.shows("optuna", "resume as lineage")
def test_a_study_that_is_optimized_again_goes_on_in_its_run(autologged: Store) -> None:
    study = optuna.create_study()
    study.optimize(quadratic, n_trials=2)
    study.optimize(quadratic, n_trials=3)
    run = only(autologged)
    assert (len(run.segments), run.status) == (2, "finished")
    assert run.metrics["value"].steps.tolist() == [0, 1, 2, 3, 4]
    assert len(children_of(run)) == 5
    assert run.params["best.trial"] == study.best_trial.number
    optuna.create_study().optimize(quadratic, n_trials=1)
    assert len(autologged.runs("parent is None")) == 2


def test_a_study_within_the_users_run_stays_there_when_it_goes_on(autologged: Store) -> None:
    study = optuna.create_study()
    with autologged.start_run("mine"):
        study.optimize(quadratic, n_trials=1)
        study.optimize(quadratic, n_trials=1)
    assert only(autologged).name == "mine"
    assert len(children_of(only(autologged))) == 2
    study.optimize(quadratic, n_trials=1)
    assert len(autologged.runs("parent is None")) == 2


def test_what_samplers_and_pruners_hand_on_to_is_recorded(autologged: Store) -> None:
    inner = optuna.pruners.PercentilePruner(25.0, n_startup_trials=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pruner = optuna.pruners.PatientPruner(inner, patience=1)
        fixed = optuna.samplers.PartialFixedSampler({"x": 1}, optuna.samplers.RandomSampler(seed=0))
    grid = optuna.samplers.GridSampler({"x": [0, 1], "kind": ["a", "b"]}, seed=0)
    for name, sampler in (("fixed", fixed), ("grid", grid)):
        study = optuna.create_study(study_name=name, sampler=sampler, pruner=pruner)
        study.optimize(lambda trial: float(trial.suggest_int("x", 0, 1)), n_trials=1)
    found = {run.tags["study"]: run for run in autologged.runs("parent is None")}
    params = found["fixed"].params
    assert (params["PatientPruner.wrapped_pruner"], params["PercentilePruner.percentile"]) == ("PercentilePruner", 25.0)
    assert params["PartialFixedSampler.base_sampler"] == "RandomSampler"
    assert params["PartialFixedSampler.fixed_params.x"] == 1
    assert found["grid"].params["GridSampler.search_space.kind"] == ["a", "b"]
    assert not {"PercentilePruner.percentile", "PartialFixedSampler.fixed_params.x"} & found["fixed"].captured


def test_several_objectives_have_a_curve_each(autologged: Store) -> None:
    def objective(trial: Any) -> tuple[float, float]:
        x = trial.suggest_float("x", 0, 2)
        return x, (x - 1) ** 2

    study = optuna.create_study(directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(seed=1))
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.set_metric_names(["size", "score"])
    study.optimize(objective, n_trials=4)
    run = only(autologged)
    assert [list(values) for values in zip(*(run.metrics[name].values for name in ("size", "score")), strict=True)] == [
        trial.values for trial in study.trials
    ]
    assert run.params["best.trials"] == [trial.number for trial in study.best_trials]
    assert children_of(run)[0].metrics["score"].values.tolist() == [study.trials[0].values[1]]


def test_trials_that_are_asked_for_and_told(autologged: Store) -> None:
    study = optuna.create_study()
    for number in range(3):
        trial = study.ask({"y": optuna.distributions.FloatDistribution(0, 1)})
        assert autologged.run(f"trial-{number}").params["y"] == trial.params["y"]
        x = trial.suggest_float("x", 0, 1)
        assert children_of(only(autologged))[number].status == "running"
        if number == 1:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, x)
    run = only(autologged)
    assert [child.tags["state"] for child in children_of(run)] == ["COMPLETE", "PRUNED", "COMPLETE"]
    assert children_of(run)[1].tags["stopped"] == "pruned"
    assert run.status == "running"  # it may go on as long as somebody holds it
    reference = weakref.ref(study)
    del study, trial
    gc.collect()
    assert reference() is None
    assert only(autologged).status == "finished"


def test_a_trial_that_waits_in_the_queue(autologged: Store) -> None:
    study = optuna.create_study()
    study.enqueue_trial({"x": 1.0}, user_attrs={"why": "known to be good"})
    study.optimize(quadratic, n_trials=2)
    first, second = children_of(only(autologged))
    assert (first.params["x"], first.tags["user_attrs.why"]) == (1.0, "known to be good")
    assert (first.tags["enqueued"], "enqueued" in second.tags) == ("True", False)
    study.enqueue_trial({}, user_attrs={"of": "nothing"})
    study.optimize(quadratic, n_trials=1)
    assert "enqueued" not in children_of(only(autologged))[2].tags
    assert only(autologged).summary["best_value"] == 0.0


@pytest.mark.shows("optuna", "early stopping")
def test_why_a_study_stopped_early(autologged: Store) -> None:
    study = optuna.create_study()
    study.optimize(quadratic, n_trials=9, callbacks=[optuna.study.MaxTrialsCallback(3)])
    assert only(autologged).tags["stopped"] == "step 2: study.stop() was called"


def test_a_study_is_let_go(autologged: Store) -> None:
    study = optuna.create_study()
    study.optimize(quadratic, n_trials=1)
    study.optimize(quadratic, n_trials=1)
    reference = weakref.ref(study)
    del study
    gc.collect()
    assert reference() is None


def test_a_callback_that_is_called_by_hand(store: Store) -> None:
    study, callback = optuna.create_study(), RunloreCallback("by hand", tags={"team": "a"})
    for _ in range(2):
        trial = study.ask()
        callback(study, study.tell(trial, quadratic(trial)))
    run = only(store)
    assert (run.name, run.tags["team"]) == ("by hand", "a")
    assert [child.params["x"] for child in children_of(run)] == [trial.params["x"] for trial in study.trials]


def _work(url: str, store: str, count: int) -> None:
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    study = optuna.load_study(study_name="shared", storage=url)
    study.optimize(quadratic, n_trials=count, callbacks=[RunloreCallback(store=store)])


@pytest.mark.shows("optuna", "processes")
def test_processes_that_share_a_storage_share_a_run(store: Store, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    study = optuna.create_study(study_name="shared", storage=url)
    context = multiprocessing.get_context("forkserver")
    workers = [context.Process(target=_work, args=(url, str(store.root), 3)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0]
    _work(url, str(store.root), 1)
    run = only(store)
    assert run.status == "finished"
    found = children_of(run)
    assert [child.params["x"] for child in found] == [trial.params["x"] for trial in study.trials]
    assert {child.status for child in found} == {"finished"}
    assert run.metrics["value"].values.tolist() == [trial.value for trial in study.trials]
    assert run.params["best.trial"] == study.best_trial.number


def _die(url: str, store: str) -> None:
    study = optuna.load_study(study_name="shared", storage=url)
    study.optimize(lambda trial: os._exit(3), n_trials=1, callbacks=[RunloreCallback(store=store)])


@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_a_study_whose_first_trial_was_killed_goes_on_in_its_run(store: Store, tmp_path: Path, how: str) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    study = optuna.create_study(study_name="shared", storage=url)
    dying = multiprocessing.get_context("forkserver").Process(target=_die, args=(url, str(store.root)))
    dying.start()
    dying.join()
    assert [trial.state.name for trial in study.trials] == ["RUNNING"]
    with runlore.autolog("optuna") if how == "autolog" else nullcontext():
        study.optimize(quadratic, n_trials=1, callbacks=[RunloreCallback()] if how == "callback" else None)
    run = only(store)
    assert (run.status, [trial.status for trial in children_of(run)]) == ("finished", ["crashed", "finished"])


@pytest.mark.filterwarnings("ignore:RetryHeartbeatStaleTrialCallback is experimental")
def test_a_trial_that_is_tried_again_is_linked_to_the_one_before_it(store: Store, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'trials.db'}"
    study = optuna.create_study(study_name="shared", storage=url)
    dying = multiprocessing.get_context("forkserver").Process(target=_die, args=(url, str(store.root)))
    dying.start()
    dying.join()
    again = optuna.storages.RetryHeartbeatStaleTrialCallback()
    for number in (0, 1):  # as a storage with a heartbeat does, once it is overdue
        study.tell(number, state=optuna.trial.TrialState.FAIL)
        again(study, study.trials[number])
        if number == 0:
            with runlore.autolog("optuna"):
                study.ask()
    with runlore.autolog("optuna"):
        study.optimize(quadratic, n_trials=2)
    first, second, third, other = (child for run in store.runs("parent is None") for child in children_of(run))
    links = [[(link["kind"], link["run"]) for link in run.links] for run in (first, second, third, other)]
    assert links == [[], [("retry_of", first.id)], [("retry_of", second.id)], []]


@pytest.mark.filterwarnings("ignore:set_constraint is experimental")
@pytest.mark.filterwarnings("ignore:constraints is experimental")
def test_constraints_are_told_and_a_study_that_meets_none_says_so(autologged: Store) -> None:
    for limit in (100.0, -1.0):

        def objective(trial: Any, limit: float = limit) -> float:
            value = quadratic(trial)
            trial.set_constraint("size", abs(trial.params["x"]) - limit)
            return value

        optuna.create_study().optimize(objective, n_trials=2)
    none, met = autologged.runs("parent is None")
    assert [item["why"] for item in none.missing] == ["no trial meets the constraints"]
    assert (met.missing, "best.x" in met.params, "best.x" in none.params) == ([], True, False)
    for trial in children_of(none):
        assert trial.metrics["constraint.size"].values.tolist() == [abs(trial.params["x"]) + 1]


def test_another_study_of_the_name_has_a_run_of_its_own(autologged: Store, tmp_path: Path) -> None:
    for place in ("a.db", "b.db"):
        study = optuna.create_study(study_name="same", storage=f"sqlite:///{tmp_path / place}")
        study.optimize(quadratic, n_trials=1)
    optuna.delete_study(study_name="same", storage=f"sqlite:///{tmp_path / 'a.db'}")
    again = optuna.create_study(study_name="same", storage=f"sqlite:///{tmp_path / 'a.db'}")
    again.optimize(quadratic, n_trials=1)
    assert [len(run.children) for run in autologged.runs("parent is None")] == [1, 1, 1]


def test_a_storage_that_disappears_is_the_users_own_exception(autologged: Store, tmp_path: Path) -> None:
    def fail(name: str) -> BaseException:
        study = optuna.create_study(storage=f"sqlite:///{tmp_path / name}")

        def objective(trial: Any) -> float:
            if trial.number == 1:
                (tmp_path / name).unlink()
            return quadratic(trial)

        with pytest.raises(Exception, check=lambda _: True) as caught:
            study.optimize(objective, n_trials=3)
        return caught.value

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUNLORE_DISABLED", "all")
        plain = fail("a.db")
    recorded = fail("b.db")
    assert (type(recorded), str(recorded)) == (type(plain), str(plain))
    run = only(autologged)
    assert (run.status, run.error["type"]) == ("failed", type(recorded).__name__)
    assert "running" not in {child.status for child in run.children}
