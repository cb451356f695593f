"""A callback that is first named inside the call that trains: the record is that of any other import."""

import os
from collections.abc import Callable

import pytest

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]

KERAS = """
import runlore_keras
import keras, numpy as np
x = np.ones((8, 3), "float32")
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
def train(fail):
    def check(epoch, logs):
        if fail:
            raise ValueError("no more")
    calling = keras.callbacks.LambdaCallback(on_epoch_end=check)
    model.fit(x, x.sum(1), validation_split=0.25, verbose=0, callbacks=[runlore_keras.RunloreCallback(), calling])
"""
LIGHTNING = """
import runlore_lightning
import torch
import pytorch_lightning as pl
class Net(pl.LightningModule):
    def __init__(self, fail):
        super().__init__()
        self.layer, self.fail = torch.nn.Linear(3, 1), fail
    def training_step(self, batch, place):
        loss = self.layer(batch).square().mean()
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss
    def on_train_epoch_end(self):
        if self.fail:
            raise ValueError("no more")
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
quiet = dict(logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
             max_epochs=1, accelerator="cpu")
def train(fail):
    rows = torch.utils.data.DataLoader(torch.ones(8, 3), batch_size=4)
    pl.Trainer(callbacks=[runlore_lightning.RunloreCallback()], **quiet).fit(Net(fail), rows)
"""
TRANSFORMERS = """
import runlore_transformers
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
    def forward(self, x):
        return {"loss": self.layer(x).square().mean()}
class Failing(TrainerCallback):
    def __init__(self, fail):
        self.fail = fail
    def on_epoch_end(self, *args, **kwargs):
        if self.fail:
            raise ValueError("no more")
def train(fail):
    wanted = TrainingArguments("out", num_train_epochs=1, logging_steps=1, use_cpu=True, report_to="none",
                               disable_tqdm=True, save_strategy="no")
    ours = [runlore_transformers.RunloreCallback(), Failing(fail)]
    Trainer(Net(), wanted, train_dataset=[{"x": torch.ones(3)}] * 8, callbacks=ours).train()
"""
SKLEARN = """
import runlore_sklearn
import numpy as np
from sklearn.linear_model import LogisticRegression
def train(fail):
    rows = np.arange(8.0).reshape(8, 1)
    LogisticRegression().set_callbacks(runlore_sklearn.RunloreCallback()).fit(rows, rows[:, 0] > (9 if fail else 3))
"""
BOTH = """
import warnings
warnings.simplefilter("ignore")
{script}
if {first!r} == "whole":
    train(False)
try:
    train(True)
except Exception as error:
    from runlore import open_store
    print(open_store().runs()[0].status)  # while the exception is handled
if {first!r} != "whole":
    train(False)
"""
# the metrics of a whole fit, and data and params that only the arguments of the call tell
EXPECTED = {
    "keras": ({"loss", "val_loss"}, {"x", "y"}, {"fit.validation_split"}),
    "lightning": ({"loss"}, {"train"}, {"optimizer.name"}),
    "transformers": ({"loss"}, {"train"}, {"num_train_epochs"}),
    "sklearn": ({"fit_seconds"}, {"X", "y"}, {"C"}),
}


@pytest.mark.parametrize("first", ["whole", pytest.param("failing", marks=pytest.mark.stress)])
@pytest.mark.parametrize("framework", EXPECTED)
def test_a_callback_named_in_the_call_that_trains_records_all_of_it(
    store: Store, python: Python, framework: str, first: str
) -> None:
    """Keras's first fit of a process had looked up `fit` before it was wrapped."""
    script = {"keras": KERAS, "lightning": LIGHTNING, "transformers": TRANSFORMERS, "sklearn": SKLEARN}[framework]
    backend = {"KERAS_BACKEND": os.environ.get("KERAS_BACKEND", "torch")}
    assert "failed" in python(BOTH.format(script=script, first=first), **backend).succeed().splitlines()
    whole, failed = sorted(store.runs(), key=lambda run: run.status == "failed")
    assert failed.error is not None
    metrics, data, params = EXPECTED[framework]
    assert metrics <= set(whole.metrics)
    assert (data - set(whole.data), params - set(whole.params)) == (set(), set())
    assert not {name for name in whole.metrics if "test" in name}
    assert (whole.status, failed.status) == ("finished", "failed")
    assert failed.error["type"] in {"ValueError", "InvalidParameterError"}
