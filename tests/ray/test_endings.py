"""How the process that drives an experiment ends, and who goes on with it."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.process import Process
from tests.ray.test_tune import only, points

SCRIPT = """
    import sys
    import tempfile
    import time
    from pathlib import Path

    import ray
    from ray import tune

    import runlore

    folder, asked = Path(sys.argv[1]), sys.argv[2]
    runlore.autolog()
    ray.init(log_to_driver=False)


    class Slow(tune.Trainable):
        def setup(self, config):
            self.count = 0

        def step(self):
            self.count += 1
            while self.count == 3 and not (folder / "go").exists():
                time.sleep(0.05)
            return {"score": self.count, "done": self.count == 4}

        def save_checkpoint(self, checkpoint_dir):
            Path(checkpoint_dir, "count").write_text(str(self.count))

        def load_checkpoint(self, checkpoint_dir):
            self.count = int(Path(checkpoint_dir, "count").read_text())


    class Users(tune.Callback):
        def on_trial_save(self, iteration, trials, trial, **info):
            print("saved", flush=True)


    if asked == "restore":
        tuner = tune.Tuner.restore(str(folder / "study"), trainable=Slow)
    else:
        tuner = tune.Tuner(
            Slow,
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(folder),
                verbose=0,
                callbacks=[Users()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=1),
            ),
        )
    tuner.fit()
    print("over", flush=True)
"""


def begin(python: Callable[..., Process], folder: Path) -> Process:
    """Start an experiment, and wait until it has saved its second checkpoint, and will make no more."""
    process = python(SCRIPT, str(folder), "begin", TUNE_GLOBAL_CHECKPOINT_S="0")
    count = 0
    while count < 2:
        count += process.line().strip() == "saved"
    return process


def test_an_experiment_whose_driver_was_killed_is_restored_in_the_same_runs(
    python: Callable[..., Process], store: Store, tmp_path: Path
) -> None:
    process = begin(python, tmp_path)
    before = only(store)
    assert (before.status, before.children[0].status) == ("running", "running")
    process.kill(signal.SIGKILL)
    assert (only(store).status, only(store).children[0].status) == ("crashed", "crashed")
    (tmp_path / "go").touch()
    python(SCRIPT, str(tmp_path), "restore").succeed()
    after = only(store)
    (trial,) = after.children
    assert (after.id, after.status, len(after.segments)) == (before.id, "finished", 2)
    assert (trial.id, trial.status) == (before.children[0].id, "finished")
    assert points(trial) == {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0}


@pytest.mark.stress
def test_ctrl_c_ends_an_experiment_and_its_trials_as_interrupted(
    python: Callable[..., Process], store: Store, tmp_path: Path
) -> None:
    process = begin(python, tmp_path)
    assert process.kill(signal.SIGINT) == 0  # Tune winds up, and returns
    assert "over" in process.out
    assert (only(store).status, only(store).children[0].status) == ("interrupted", "interrupted")


TRAINING = """
    import sys
    import time

    import ray
    from ray import train
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    import runlore

    runlore.autolog()
    ray.init(log_to_driver=False)


    def loop():
        train.report({"loss": 1.0})
        time.sleep(600)


    scaling = train.ScalingConfig(num_workers=1)
    trainer = DataParallelTrainer(loop, scaling_config=scaling, run_config=train.RunConfig(storage_path=sys.argv[1]))
    trainer.fit()
"""


@pytest.mark.stress
def test_ctrl_c_ends_a_training_as_interrupted(python: Callable[..., Process], store: Store, tmp_path: Path) -> None:
    process = python(TRAINING, str(tmp_path))
    while not any("loss" in run.metrics for run in store.runs()):
        time.sleep(0.1)
    process.kill(signal.SIGINT)
    assert only(store).status == "interrupted"
