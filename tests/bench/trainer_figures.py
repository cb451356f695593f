"""What recording costs a Keras fit and a training with transformers: own hooks inside a real one, and whole ones."""

from tests.bench.figures import World, figure, floor

TIMED = """
import logging, os, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
os.environ["KERAS_BACKEND"], os.environ["TRANSFORMERS_VERBOSITY"] = "torch", "error"
spent = {}

def timed(owner, name, part):
    inner = getattr(owner, name)
    def measured(*args, **kwargs):
        began = time.perf_counter()
        try:
            return inner(*args, **kwargs)
        finally:
            spent[part] = spent.get(part, 0.0) + time.perf_counter() - began
    setattr(owner, name, staticmethod(measured) if isinstance(owner.__dict__[name], classmethod) else measured)

def report(kind, fit):
    fit(kind)  # what is loaded once
    spent.clear()
    whole = fit(kind)
    return {part: seconds / whole for part, seconds in spent.items()}, spent, whole
"""

KERAS = (
    TIMED
    + """
import keras, numpy as np
from runlore_keras import RunloreCallback, _training
x = np.random.default_rng(0).normal(size=(200 * 32, 20)).astype("float32")
y = x.sum(1)

class Empty(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        pass
    def on_epoch_end(self, epoch, logs=None):
        pass

def fit(kind):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    began = time.perf_counter()
    callbacks = {"runlore": [RunloreCallback()], "empty": [Empty()], "csv": [keras.callbacks.CSVLogger("log.csv")]}
    model.fit(x, y, batch_size=32, epochs=5, verbose=0, callbacks=callbacks.get(kind))
    return time.perf_counter() - began

timed(_training.Training, "begin", "fixed")
timed(_training.Training, "end", "fixed")
for owner in (Empty, _training.Listener):
    timed(owner, "on_epoch_begin", "hooks")
    timed(owner, "on_epoch_end", "hooks")
"""
)

TRAINER = (
    TIMED
    + """
import torch
import transformers
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments
transformers.utils.logging.disable_progress_bar()
from runlore_transformers import RunloreCallback, _callback, _training
words = torch.randint(5, 50, (512, 16), generator=torch.Generator().manual_seed(0))
rows = [{"input_ids": row, "labels": row.sum() % 2} for row in words]
config = BertConfig(vocab_size=60, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                    max_position_embeddings=16)

class Empty(transformers.TrainerCallback):
    def on_log(self, args, state, control, **kwargs):
        pass

def fit(kind):
    transformers.set_seed(0)
    callbacks = {"empty": [Empty()], "runlore": [RunloreCallback()]}.get(kind, [])
    if kind == "tensorboard":
        callbacks = [transformers.integrations.TensorBoardCallback]
    elif kind == "mlflow":
        os.environ["MLFLOW_TRACKING_URI"] = "sqlite:///mlflow.db"
        callbacks = [transformers.integrations.MLflowCallback]
    args = TrainingArguments("out", max_steps=500, logging_steps=10, save_steps=250, per_device_train_batch_size=8,
                             use_cpu=True, disable_tqdm=True, report_to="none")
    trainer = Trainer(BertForSequenceClassification(config), args, train_dataset=rows, callbacks=callbacks)
    trainer.remove_callback(transformers.PrinterCallback)
    began = time.perf_counter()
    trainer.train()
    took = time.perf_counter() - began
    if kind == "mlflow":
        import mlflow
        mlflow.end_run()
    return took

timed(_training.Training, "begin", "fixed")
timed(_training.Training, "end", "fixed")
timed(_callback.Hooks, "on_log", "hooks")
timed(Empty, "on_log", "hooks")
timed(_callback.Hooks, "on_save", "saving")
"""
)

SHARE = "shares, _, _ = report(sys.argv[1], fit); print(shares['hooks'] * 100)"
FIXED = "_, spent, _ = report('runlore', fit); print(spent['fixed'] * 1e3)"
PLAIN = "fit('plain'); print(fit('plain') * 1e3)"
WALL = "kind = sys.argv[1]; fit(kind); fit('plain'); print(fit(kind) / fit('plain'))"


@figure("Keras: own hooks in a fit of 200 batches × 5 epochs", "%", 1, beside="Keras: empty hooks")
def keras_hooks(world: World) -> float:
    return float(world.python(KERAS + SHARE, "runlore"))


@figure("Keras: fixed cost of a fit", "ms", 50, beside="Keras: that fit without us")
def keras_fixed(world: World) -> float:
    return float(world.python(KERAS + FIXED))


@floor("Keras: that fit without us", "ms")
def keras_plain(world: World) -> float:
    return float(world.python(KERAS + PLAIN))


@figure("transformers: own hooks in 500 steps, logged every 10", "%", 1, beside="transformers: empty hooks")
def trainer_hooks(world: World) -> float:
    return float(world.python(TRAINER + SHARE, "runlore"))


@figure("transformers: fixed cost of a training", "ms", 50, beside="transformers: those steps without us")
def trainer_fixed(world: World) -> float:
    return float(world.python(TRAINER + FIXED))


@floor("transformers: those steps without us", "ms")
def trainer_plain(world: World) -> float:
    return float(world.python(TRAINER + PLAIN))


@figure("Keras: a fit with RunloreCallback", "× plain", None, beside="Keras: a fit with CSVLogger")
def keras_wall(world: World) -> float:
    return float(world.python(KERAS + WALL, "runlore"))


@figure("transformers: with RunloreCallback", "× plain", None, beside="transformers: with TensorBoardCallback")
def trainer_wall(world: World) -> float:
    return float(world.python(TRAINER + WALL, "runlore"))


@floor("transformers: with TensorBoardCallback", "× plain")
def trainer_tensorboard(world: World) -> float:
    return float(world.python(TRAINER + WALL, "tensorboard"))


@figure("transformers: with MLflowCallback", "× plain", None, beside="transformers: with TensorBoardCallback")
def trainer_mlflow(world: World) -> float:
    return float(world.python(TRAINER + WALL, "mlflow"))


@floor("Keras: empty hooks", "%")
def keras_empty(world: World) -> float:
    return float(world.python(KERAS + SHARE, "empty"))


@floor("transformers: empty hooks", "%")
def trainer_empty(world: World) -> float:
    return float(world.python(TRAINER + SHARE, "empty"))


@floor("Keras: a fit with CSVLogger", "× plain")
def keras_csv(world: World) -> float:
    return float(world.python(KERAS + WALL, "csv"))
