"""A training of Train is one run, which its controller and its workers add to from processes of their own."""

import os
import re
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ray import train, tune
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

import runlore
from runlore import Store
from tests.ray.test_tune import only, points
from tests.ray.trainables import tuner


def trainer_of(loop: Callable[..., Any], folder: Path, *, name: str | None = "training", **more: Any) -> Any:
    config = {"lr": 0.5, **more.pop("config", {})}
    return DataParallelTrainer(
        loop,
        train_loop_config=config,
        scaling_config=train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1}),
        run_config=train.RunConfig(name=name, storage_path=str(folder), **more),
    )


def three_reports(config: dict[str, Any]) -> None:
    """Report a loss of its own from each worker, with a checkpoint from the first."""
    rank = train.get_context().get_world_rank()
    begin = 0
    if train.get_checkpoint() is not None:
        with train.get_checkpoint().as_directory() as folder:
            begin = int(Path(folder, "step").read_text())
    for step in range(begin + 1, 4):
        marker = config.get("marker")
        if step == config.get("dies_at") and rank == 1 and not (marker and Path(marker).exists()):
            if marker:
                Path(marker).touch()
            while not any(Path(config["storage"]).rglob("checkpoint_manager_snapshot.json")):
                time.sleep(0.02)  # until Ray has what the training goes on from
            os.kill(os.getpid(), signal.SIGKILL)
        if step == config.get("fails_at") and rank == 1:
            raise ValueError(f"no step {step}")
        if config.get("fits"):
            from sklearn.linear_model import Ridge

            Ridge(alpha=step).fit([[0.0], [1.0]], [0.0, 1.0])
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "step").write_text(str(step))
            checkpoint = train.Checkpoint.from_directory(folder) if rank == 0 else None
            train.report({"loss": rank + config["lr"] / step}, checkpoint=checkpoint)


@pytest.fixture(scope="module")
def trained(recorded: Callable[..., Any]) -> Any:
    score = train.CheckpointConfig(num_to_keep=2, checkpoint_score_attribute="loss", checkpoint_score_order="min")
    return recorded(
        lambda folder: trainer_of(three_reports, folder, config={"fits": True}, checkpoint_config=score).fit()
    )


@pytest.mark.shows("ray", "processes")
def test_what_rank_0_reports_is_recorded_once(trained: Any) -> None:
    store, result = trained
    run = only(store)
    assert (run.status, run.tags["trainer"], run.tags["integration"]) == ("finished", "DataParallelTrainer", "ray")
    assert points(run, "loss") == {1: 0.5, 2: 0.25, 3: pytest.approx(0.5 / 3)}
    assert (run.params["lr"], run.params["scaling_config.num_workers"]) == (0.5, 2)
    assert "lr" not in run.captured
    assert result.metrics["loss"] == points(run, "loss")[3]


def test_checkpoints_of_a_training_are_artifacts(trained: Any) -> None:
    store, result = trained
    found = {item.step: item for item in only(store).artifacts if item.kind == "checkpoint"}
    assert {step: item.present for step, item in found.items()} == {1: False, 2: True, 3: True}
    assert only(store).artifact("best").step == only(store).artifact("last").step == 3
    assert found[3].path == result.checkpoint.path
    assert found[3].stored


def test_what_rank_0_fits_is_below_the_training_and_other_workers_make_no_runs(trained: Any) -> None:
    store, _ = trained
    fits = only(store).children
    assert sorted(fit.params["alpha"] for fit in fits) == [1, 2, 3]
    assert {fit.status for fit in fits} == {"finished"}


def test_a_worker_that_fails_fails_the_run_with_what_the_user_gets(autologged: Store, tmp_path: Path) -> None:
    with pytest.raises(train.WorkerGroupError) as caught:
        trainer_of(three_reports, tmp_path, config={"fails_at": 2}).fit()
    run = only(autologged)
    assert (run.status, run.error["message"]) == ("failed", str(caught.value))
    assert "ValueError: no step 2" in run.error["traceback"]
    assert not re.search("runlore", str(caught.value))
    assert 1 in points(run, "loss")


def test_a_killed_worker_is_noted_and_its_training_goes_on_in_the_same_run(autologged: Store, tmp_path: Path) -> None:
    config = {"dies_at": 3, "storage": str(tmp_path), "marker": str(tmp_path / "marker")}
    retry = train.FailureConfig(max_failures=1)
    trainer_of(three_reports, tmp_path, config=config, failure_config=retry).fit()
    run = only(autologged)
    assert (run.status, run.tags["failures"]) == ("finished", "1")
    assert re.search(r"rank 1 failed after report [12]", str(run.notes))
    assert points(run, "loss")[3] == pytest.approx(0.5 / 3)


def test_a_training_whose_worker_is_killed_for_good_reads_failed_and_goes_on_later(
    autologged: Store, tmp_path: Path
) -> None:
    with pytest.raises(train.WorkerGroupError):
        trainer_of(three_reports, tmp_path, config={"dies_at": 3, "storage": str(tmp_path)}).fit()
    before = only(autologged)
    assert before.status == "failed"
    trainer_of(three_reports, tmp_path).fit()
    after = only(autologged)
    assert (after.id, after.status, len(after.segments)) == (before.id, "finished", 2)
    assert points(after, "loss") == {1: 0.5, 2: 0.25, 3: pytest.approx(0.5 / 3)}


def test_the_callback_names_the_run_and_nothing_is_recorded_twice(store: Store, tmp_path: Path) -> None:
    from runlore_ray import RunloreCallback

    with runlore.autolog("ray"):
        callback = RunloreCallback("mine", tags={"team": "vision"})
        trainer_of(three_reports, tmp_path, config={"fits": True}, callbacks=[callback]).fit()
    run = only(store)
    assert (run.name, run.tags["team"], len(run.children)) == ("mine", "vision", 0)
    assert list(points(run, "loss")) == [1, 2, 3]


def test_a_loop_in_torch_is_below_the_training_of_its_ranks(autologged: Store, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from ray.train.torch import TorchTrainer

    def loop(config: dict[str, Any]) -> None:
        import torch
        from ray.train.torch import prepare_model

        torch.manual_seed(0)
        model = prepare_model(torch.nn.Linear(1, 1))
        optimizer = torch.optim.SGD(model.parameters(), lr=config["lr"])
        for _ in range(3):
            optimizer.zero_grad()
            loss = model(torch.ones(4, 1)).pow(2).mean()
            loss.backward()
            optimizer.step()
            train.report({"loss": loss.item()})

    scaling = train.ScalingConfig(num_workers=2, resources_per_worker={"CPU": 1})
    run_config = train.RunConfig(name="torch", storage_path=str(tmp_path))
    TorchTrainer(loop, train_loop_config={"lr": 0.1}, scaling_config=scaling, run_config=run_config).fit()
    run = only(autologged)
    (child,) = run.children
    assert (run.tags["trainer"], run.params["backend"]) == ("TorchTrainer", "TorchConfig")
    assert (child.tags["integration"], child.status) == ("torch", "finished")
    assert list(points(run, "loss").values()) == pytest.approx(list(points(child, "loss").values()))


@pytest.mark.stress
def test_a_training_within_a_trial_is_below_the_trial(autologged: Store, tmp_path: Path) -> None:
    def loop(config: dict[str, Any]) -> None:
        train.report({"loss": config["lr"]})

    def trial(config: dict[str, Any]) -> dict[str, float]:
        one = train.ScalingConfig(num_workers=1)
        place = train.RunConfig(name="inner", storage_path=str(tmp_path))
        DataParallelTrainer(loop, train_loop_config=config, scaling_config=one, run_config=place).fit()
        return {"score": config["lr"]}

    tuner(tune.with_resources(trial, {"CPU": 0.5}), tmp_path, {"lr": 0.5}).fit()
    (child,) = only(autologged).children
    (training,) = child.children
    assert (child.status, training.status, training.tags["trainer"]) == ("finished", "finished", "DataParallelTrainer")
    assert (points(child, "score"), points(training, "loss")) == ({1: 0.5}, {1: 0.5})
