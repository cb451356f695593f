"""Tune fulfils the contract of integrations: an experiment is the training, a trial a step."""

import os
import signal
import tempfile
import threading
from typing import Any

from runlore.testing import IntegrationContract, Training


class TestTune(IntegrationContract):
    integration = "ray"
    metric = "score"
    param = ("num_samples", 4)
    steps = 4
    first_step = 0
    has_checkpoints = False  # a trial has them, not the experiment
    has_children = True  # and no `warm`: a process that has forked ends otherwise by SIGTERM than one that starts cold

    def train(self, training: Training) -> Any:
        import ray
        from ray import tune
        from ray.tune.registry import TRAINABLE_CLASS, _global_registry
        from ray.tune.search import BasicVariantGenerator

        from tests.ray.conftest import SETTINGS
        from tests.ray.trainables import Counting

        if not ray.is_initialized():  # in a process of its own
            os.environ.update(SETTINGS)
            ray.init(configure_logging=False, log_to_driver=False)
        if not _global_registry.contains(TRAINABLE_CLASS, "counting"):  # a second time would disturb other threads
            tune.register_trainable("counting", Counting)
        callbacks: list[Any] = [users_callback(training)]
        if training.how == "callback":
            from runlore_ray import RunloreCallback

            callbacks.append(RunloreCallback())
        with tempfile.TemporaryDirectory() as folder:
            tuner = tune.Tuner(
                "counting",
                param_space={"slope": tune.uniform(0, 1), "until": 1},
                tune_config=tune.TuneConfig(
                    metric="score", mode="max", num_samples=8 if training.longer else 4, reuse_actors=True,
                    search_alg=BasicVariantGenerator(max_concurrent=1, random_state=0),
                ),
                run_config=tune.RunConfig(
                    storage_path=folder, name="contract", verbose=0, callbacks=callbacks, stop=callbacks[0].stopper,
                    failure_config=tune.FailureConfig(fail_fast="raise"),
                ),
            )  # fmt: skip
            before = signal.getsignal(signal.SIGINT)
            try:
                return [(result.metrics or {}).get("score") for result in tuner.fit()]
            finally:  # Tune leaves its own there, a new one each time
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGINT, before)


def users_callback(training: Training) -> Any:
    """Return a callback as users write them, with a stopper that listens to it."""
    from ray import tune

    class Stopper(tune.Stopper):
        ends = False

        def __call__(self, trial_id: str, result: Any) -> bool:
            return False

        def stop_all(self) -> bool:
            return self.ends

    class Users(tune.Callback):
        stopper = Stopper()

        def __reduce__(self) -> Any:  # Tune keeps callbacks in a file, and this one has the contract's own
            return tune.Callback, ()

        def setup(self, **info: Any) -> None:
            training.early()

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            number = int(trial.trial_id.rpartition("_")[2])
            training.point(number, result["score"])
            if number == 2:
                try:
                    training.midway()
                except KeyboardInterrupt:
                    signal.raise_signal(signal.SIGINT)  # Tune takes the signal, and winds up
                self.stopper.ends = training.stop

    return Users()
