"""Tiny trainings of each framework and by hand, for processes of their own: each calls `told` in its midst."""

import hashlib
import os
import random
import tempfile
import warnings
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any

EPOCHS = 3
Told = Callable[[int], object]  # with what is recorded for sure: epochs, steps or fits

warnings.simplefilter("ignore")
os.environ.setdefault("KERAS_BACKEND", "torch")


def plain(told: Told, recorded: bool) -> bytes:
    chance = random.Random(0)
    weight = 0.0
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        run: Any = None
        if recorded:
            import runlore

            run = stack.enter_context(runlore.start_run("plain", params={"lr": 0.1}))
        for epoch in range(EPOCHS):
            told(epoch)
            weight += chance.random()
            kept = Path(folder, f"{epoch}.txt")
            kept.write_text(repr(weight))
            if recorded:
                run.log_metrics({"loss": weight}, step=epoch)
                run.log_artifact(kept)
    return repr((weight, chance.getstate())).encode()


def sklearn(told: Told, recorded: bool) -> bytes:
    import pickle

    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    x, y = load_iris(return_X_y=True)
    found = []
    for number in range(EPOCHS):
        told(number)
        found.append(pickle.dumps(LogisticRegression(C=1.0 + number, max_iter=20).fit(x, y)))
    return b"".join(found)


def lightning(told: Told, recorded: bool) -> bytes:
    from pytorch_lightning import Callback

    from tests.lightning.models import Tiny, checkpoint, data, trainer

    class Tell(Callback):  # type: ignore[misc]
        def on_train_epoch_start(self, trainer: Any, module: Any) -> None:
            told(trainer.current_epoch)

    rows = data(4)
    module = Tiny()
    with tempfile.TemporaryDirectory() as folder:
        made = trainer(Tell(), checkpoint(Path(folder)), max_epochs=EPOCHS, enable_checkpointing=True)
        made.fit(module, rows, rows)
    return _hash(parameter.detach().numpy().tobytes() for parameter in module.parameters())


def keras(told: Told, recorded: bool) -> bytes:
    from keras.callbacks import LambdaCallback, ModelCheckpoint

    from tests.keras.models import fit, model

    made = model()
    tell = LambdaCallback(on_epoch_begin=lambda epoch, logs: told(epoch))
    with tempfile.TemporaryDirectory() as folder:
        save = ModelCheckpoint(f"{folder}/{{epoch}}.weights.h5", save_weights_only=True)
        fit(made, tell, save, epochs=EPOCHS)
    return _hash(weight.tobytes() for weight in made.get_weights())


def transformers(told: Told, recorded: bool) -> bytes:
    from transformers import TrainerCallback

    from tests.transformers.models import trainer

    class Tell(TrainerCallback):  # type: ignore[misc]
        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            told(state.global_step)

    with tempfile.TemporaryDirectory() as folder:
        made = trainer(Path(folder), Tell(), max_steps=EPOCHS, save_strategy="steps", save_steps=1)
        made.train()
    return _hash(parameter.detach().numpy().tobytes() for parameter in made.model.parameters())


def _hash(parts: Any) -> bytes:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.digest()


TRAININGS: dict[str, Callable[[Told, bool], bytes]] = {
    "plain": plain,
    "sklearn": sklearn,
    "lightning": lightning,
    "keras": keras,
    "transformers": transformers,
}
MODULES = {  # that a parent of such processes has imported
    "plain": (),
    "sklearn": ("sklearn.linear_model", "sklearn.datasets"),
    "lightning": ("pytorch_lightning",),
    "keras": ("keras",),
    "transformers": ("transformers.trainer", "datasets"),
}


def train(name: str, told: Told, recorded: bool) -> bytes:
    """Train, recorded by autolog or not, and return what tells the result: weights, by hand the random state, too."""
    on: Any = nullcontext()
    if recorded and name != "plain":
        import runlore

        on = runlore.autolog(name)
    with on:
        return TRAININGS[name](told, recorded)
