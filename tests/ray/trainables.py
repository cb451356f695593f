"""What the tests tune: functions and classes as users write them, sent to workers by value."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune

ray.cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))  # no worker can import tests


def report(score: float, step: int, **more: Any) -> None:
    """Report a score with a checkpoint that tells the step."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "step").write_text(str(step))
        tune.report({"score": score, **more}, checkpoint=tune.Checkpoint.from_directory(folder))


def begin() -> int:
    """Return the step of the checkpoint that a trial goes on from; 0 without one."""
    checkpoint = tune.get_checkpoint()
    if checkpoint is None:
        return 0
    with checkpoint.as_directory() as folder:
        return int(Path(folder, "step").read_text())


def linear(config: dict[str, Any]) -> None:
    """Score as high as its slope, at each of four steps; fail where it is told to, and then only once with a marker."""
    for step in range(begin() + 1, 5):
        marker = config.get("marker")
        if step == config.get("fails_at") and not (marker and Path(marker).exists()):
            if marker:
                Path(marker).touch()
            raise ValueError(f"no step {step}")
        report(config["slope"] * step, step)


class Counting(tune.Trainable):
    """Counts, as a class."""

    def setup(self, config: dict[str, Any]) -> None:
        self.count = 0

    def step(self) -> dict[str, Any]:
        self.count += 1
        return {"score": self.config["slope"] * self.count, "done": self.count == self.config.get("until")}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        Path(checkpoint_dir, "count").write_text(str(self.count))

    def load_checkpoint(self, checkpoint_dir: str) -> None:
        self.count = int(Path(checkpoint_dir, "count").read_text())

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.config = new_config
        self.count = 0
        return True


def tuner(
    trainable: Callable[..., Any], folder: Path, space: dict[str, Any], *, name: str = "study", **more: Any
) -> tune.Tuner:
    """Return a tuner of a space whose score is the higher the better; `more` are further settings of it."""
    running = {"callbacks", "stop", "failure_config", "checkpoint_config"}
    tuning = {key: value for key, value in more.items() if key not in running}
    return tune.Tuner(
        trainable,
        param_space=space,
        tune_config=tune.TuneConfig(metric="score", mode="max", **{"reuse_actors": True, **tuning}),
        run_config=tune.RunConfig(
            name=name, storage_path=str(folder), verbose=0, **{key: more[key] for key in running & more.keys()}
        ),
    )
