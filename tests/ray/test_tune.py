"""An experiment of Tune is one run, its trials are runs below it, and what a trial trains is below that."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray import tune
from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining

import runlore
from runlore import Store
from runlore_ray._params import space_of
from tests.ray.trainables import Counting, linear, tuner


def only(store: Store) -> Any:
    (run,) = store.runs("parent is None")
    return run


def by_slope(run: Any) -> dict[Any, Any]:
    return {child.params["slope"]: child for child in run.children}


def points(run: Any, key: str = "score") -> dict[int, float]:
    series = run.metrics[key]
    return dict(zip(series.steps.tolist(), series.values.tolist(), strict=True))


def test_a_space_is_told_without_addresses() -> None:
    space = {
        "act": tune.choice([by_slope, "tanh", Counting]), "later": tune.sample_from(by_slope), "lr": tune.uniform(0, 1),
    }  # fmt: skip
    assert space_of(space) == {
        "act": f"Categorical{['by_slope', 'tanh', Counting]}", "later": "Function(by_slope)", "lr": "Float(0, 1)",
    }  # fmt: skip


@pytest.fixture(scope="module")
def searched(recorded: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search of which one trial fails for good, and another one once."""
    marker = str(tmp_path_factory.mktemp("markers") / "failed")

    def search(folder: Path) -> Any:
        space = {
            "slope": tune.grid_search([1.0, 2.0, 3.0]),
            "fails_at": tune.sample_from(lambda spec: {2.0: 3, 3.0: 3}.get(spec.config["slope"])),
            "marker": tune.sample_from(lambda spec: marker if spec.config["slope"] == 3.0 else None),
        }
        keep = tune.CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="score")
        retry = tune.FailureConfig(max_failures=1)
        return tuner(linear, folder, space, checkpoint_config=keep, failure_config=retry).fit()

    return recorded(search)


@pytest.mark.shows("ray", "params", "metrics", "search trees")
def test_trials_are_children_with_params_and_a_point_for_each_iteration(searched: Any) -> None:
    store, results = searched
    run = only(store)
    assert (run.status, run.tags["study"]) == ("finished", "study")
    assert run.params["param_space.slope.grid_search"] == [1.0, 2.0, 3.0]
    assert (run.params["scheduler"], run.params["metric"]) == ("FIFOScheduler", "score")
    trials = by_slope(run)
    assert sorted(trials) == [1.0, 2.0, 3.0]
    assert {result.config["slope"]: result.metrics["score"] for result in results} == {
        slope: points(trial)[max(points(trial))] for slope, trial in trials.items()
    }
    assert points(trials[1.0]) == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}
    assert (trials[1.0].status, trials[1.0].tags["state"]) == ("finished", "TERMINATED")
    assert "stopped" not in trials[1.0].tags
    assert "slope" not in trials[1.0].captured
    assert (run.summary["trials.terminated"], run.summary["trials.error"]) == (2, 1)
    assert (run.params["best.slope"], run.summary["best_value"]) == (3.0, 12.0)
    assert sorted(points(run).values()) == [4.0, 12.0]


def test_a_trial_that_fails_tells_its_own_exception_and_the_result_is_the_users(searched: Any) -> None:
    store, results = searched
    trial = by_slope(only(store))[2.0]
    assert (trial.status, trial.tags["state"]) == ("failed", "ERROR")
    assert (trial.error["type"], trial.error["message"]) == ("ValueError", "no step 3")
    assert "in linear" in trial.error["traceback"]
    assert points(trial) == {1: 2.0, 2: 4.0}
    (error,) = results.errors
    assert isinstance(error, ValueError)
    assert "runlore" not in str(error)


@pytest.mark.shows("ray", "resume as lineage")
def test_a_trial_that_is_tried_again_stays_one_run(searched: Any) -> None:
    store, _ = searched
    trial = by_slope(only(store))[3.0]
    assert (trial.status, trial.tags["failures"]) == ("finished", "1")
    assert points(trial) == {1: 3.0, 2: 6.0, 3: 9.0, 4: 12.0}
    assert "ValueError: no step 3" in str(trial.notes)


@pytest.mark.shows("ray", "checkpoints")
def test_checkpoints_are_artifacts_of_their_trial(searched: Any) -> None:
    store, _ = searched
    trial = by_slope(only(store))[1.0]
    found = {item.step: item for item in trial.artifacts if item.kind == "checkpoint"}
    assert sorted(found) == [1, 2, 3, 4]
    assert {step: item.present for step, item in found.items()} == {1: False, 2: False, 3: True, 4: True}
    assert Path(found[4].path).is_dir()
    assert trial.artifact("best").step == trial.artifact("last").step == 4
    assert (found[4].monitor, found[4].value) == ("score", 4.0)


@pytest.mark.shows("ray", "early stopping")
def test_a_trial_that_a_scheduler_ends_tells_so_and_one_that_is_whole_does_not(
    autologged: Store, tmp_path: Path
) -> None:
    space = {"slope": tune.grid_search([4.0, 1.0, 3.0]), "until": 4}
    scheduler = ASHAScheduler(max_t=9, grace_period=1, reduction_factor=2)
    tuner(Counting, tmp_path, space, scheduler=scheduler, max_concurrent_trials=1).fit()
    trials = by_slope(only(autologged))
    assert "stopped" not in trials[4.0].tags  # its own code said that it was over
    for slope in (1.0, 3.0):
        last = max(points(trials[slope]))
        assert trials[slope].tags["stopped"] == f"step {last}: ended by AsyncHyperBandScheduler"
        assert (trials[slope].status, last) in (("finished", 1), ("finished", 2))
    run = only(autologged)
    assert run.params["AsyncHyperBandScheduler.reduction_factor"] == 2
    assert (run.summary["trials.terminated"], run.params["best.slope"]) == (3, 4.0)


def test_a_stopper_ends_trials_before_their_time_and_a_planned_length_does_not(
    autologged: Store, tmp_path: Path
) -> None:
    class AfterTwo(tune.Stopper):
        def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
            return bool(result["training_iteration"] == 2)

        def stop_all(self) -> bool:
            return False

    for name, stop in (("stopper", AfterTwo()), ("planned", {"training_iteration": 2})):
        tuner(Counting, tmp_path, {"slope": 1.0}, name=name, stop=stop).fit()
    planned, stopped = (run.children[0] for run in autologged.runs("parent is None"))
    assert stopped.tags["stopped"] == "step 2: ended by AfterTwo"
    assert "stopped" not in planned.tags
    assert points(stopped) == points(planned) == {1: 1.0, 2: 2.0}
    assert autologged.runs("parent is None")[0].params["stop.training_iteration"] == 2


@pytest.mark.shows("ray", "resume as lineage")
def test_an_experiment_that_is_restored_goes_on_in_the_same_runs(autologged: Store, tmp_path: Path) -> None:
    marker = str(tmp_path / "marker")
    space = {"slope": tune.grid_search([1.0, 2.0]), "fails_at": 3, "marker": marker}
    tuner(linear, tmp_path, space, max_concurrent_trials=1).fit()
    before = only(autologged)
    trials = by_slope(before)
    assert [trials[slope].status for slope in (1.0, 2.0)] == ["failed", "finished"]
    with runlore.autolog():
        tune.Tuner.restore(str(tmp_path / "study"), trainable=linear, resume_errored=True).fit()
    after = only(autologged)
    assert (after.id, after.status, len(after.segments)) == (before.id, "finished", 2)
    again = by_slope(after)
    assert {slope: run.id for slope, run in again.items()} == {slope: run.id for slope, run in trials.items()}
    assert (again[1.0].status, again[1.0].tags["state"], len(again[2.0].segments)) == ("finished", "TERMINATED", 1)
    assert points(again[1.0]) == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}
    assert (after.summary["trials.terminated"], after.summary["trials.error"]) == (2, 0)


@pytest.mark.shows("ray", "resume as lineage")
def test_a_trial_of_a_population_is_linked_to_the_one_whose_weights_it_took(autologged: Store, tmp_path: Path) -> None:
    scheduler = PopulationBasedTraining(
        time_attr="training_iteration",
        perturbation_interval=2,
        hyperparam_mutations={"slope": [1.0, 5.0]},
        custom_explore_fn=lambda config: {**config, "slope": 5.0},
        quantile_fraction=0.5,
        synch=True,
    )
    keep = tune.CheckpointConfig(checkpoint_frequency=1)
    space = {"slope": tune.grid_search([1.0, 9.0])}
    stop = {"training_iteration": 4}
    tuner(Counting, tmp_path, space, scheduler=scheduler, stop=stop, checkpoint_config=keep).fit()
    weak, strong = sorted(only(autologged).children, key=lambda run: run.name)
    assert strong.links == []
    assert weak.links[0] == {"kind": "resumed_from", "run": strong.id, "step": 2}
    assert points(weak, "config.slope") == {0: 1.0, 2: 5.0}
    assert weak.params["slope"] == 5.0
    assert sorted(points(weak)) == [1, 2, 3, 4]


@pytest.mark.shows("ray", "processes")
def test_what_a_trial_fits_in_its_worker_is_a_run_below_the_trial(autologged: Store, tmp_path: Path) -> None:
    def fitting(config: dict[str, Any]) -> dict[str, float]:
        from sklearn.linear_model import Ridge

        runlore = __import__("runlore")
        runlore.log_metrics({"mine": config["slope"]}, step=0)
        return {"score": float(Ridge(alpha=config["slope"]).fit([[0.0], [1.0]], [0.0, 1.0]).coef_[0])}

    results = tuner(fitting, tmp_path, {"slope": tune.grid_search([1.0, 3.0])}).fit()
    trials = by_slope(only(autologged))
    for slope, trial in trials.items():
        (fit,) = trial.children
        assert (fit.tags["estimator"], fit.params["alpha"], fit.status) == ("Ridge", slope, "finished")
        assert points(trial, "mine") == {0: slope}
        assert points(trial) == {1: next(item.metrics["score"] for item in results if item.config["slope"] == slope)}


def test_trials_of_the_users_own_callback_are_recorded_once_and_fits_in_them_are_not(
    store: Store, tmp_path: Path
) -> None:
    from runlore_ray import RunloreCallback

    def fitting(config: dict[str, Any]) -> dict[str, float]:
        from sklearn.linear_model import Ridge

        return {"score": float(Ridge(alpha=config["slope"]).fit([[0.0], [1.0]], [0.0, 1.0]).coef_[0])}

    place = runlore.Store(tmp_path / "elsewhere")
    callback = RunloreCallback("mine", experiment="slopes", tags={"team": "vision"}, store=place)
    with runlore.autolog("ray"):
        tuner(fitting, tmp_path, {"slope": 1.0}, callbacks=[callback]).fit()
    assert len(store.runs()) == 0
    run = only(place)
    assert (run.name, run.experiment, run.tags["team"]) == ("mine", "slopes", "vision")
    (trial,) = run.children
    assert (trial.experiment, len(trial.children), list(points(trial))) == ("slopes", 0, [1])


def test_the_exception_of_a_call_is_that_of_the_run(autologged: Store, tmp_path: Path) -> None:
    with pytest.raises(tune.TuneError, match="did not complete"):
        tune.run(linear, config={"slope": 1.0, "fails_at": 2}, storage_path=str(tmp_path), verbose=0)
    run = only(autologged)
    assert (run.status, run.children[0].status) == ("failed", "failed")
    assert "TuneError" in run.error["type"]
    with pytest.raises(ValueError, match="mode"):
        tune.run(linear, mode="sideways", storage_path=str(tmp_path))
    refused: Any = autologged.runs("parent is None")[0]
    assert (refused.status, refused.error["type"]) == ("failed", "ValueError")


def test_a_store_that_can_not_be_written_costs_the_record_only(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RUNLORE_STORE", str(tmp_path / "file"))
    with runlore.autolog(), pytest.warns(runlore.errors.RunloreWarning):
        results = tuner(linear, tmp_path, {"slope": tune.grid_search([1.0, 2.0])}).fit()
    assert sorted(result.metrics["score"] for result in results) == [4.0, 8.0]


def test_a_run_that_was_looked_up_before_is_recorded_too(store: Store, tmp_path: Path) -> None:
    looked_up = tune.run
    with runlore.autolog():
        looked_up(Counting, config={"slope": 1.0, "until": 2}, storage_path=str(tmp_path), verbose=0)
    run = only(store)
    assert (run.status, points(run.children[0])) == ("finished", {1: 1.0, 2: 2.0})
    assert tune.run is looked_up
