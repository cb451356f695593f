"""What recording costs a Lightning fit: its own work in a real fit, and the whole fit beside other loggers."""

from tests.bench.figures import World, figure, floor

STEPS = 1_000
EPOCHS = 4

FIT = """
import logging, statistics, sys, time, warnings
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
import torch
import pytorch_lightning as pl
from torch.utils.data import DataLoader, TensorDataset

kind, every, steps, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(1)

class Tiny(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)
    def training_step(self, batch, number):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss)
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01)

own, under_way = [], []

def timed(function):  # each nanosecond counts once: calls within others do not
    def measured(*args, **kwargs):
        under_way.append(function)
        began = time.perf_counter_ns()
        try:
            return function(*args, **kwargs)
        finally:
            spent = time.perf_counter_ns() - began
            under_way.pop()
            if not under_way:
                own.append(spent)
    return measured

def fit(kind):
    logger, callbacks = False, []
    if kind == "runlore":
        from runlore_lightning import RunloreCallback
        callbacks = [RunloreCallback()]
    elif kind == "csv":
        logger = pl.loggers.CSVLogger("csv")
    elif kind == "tensorboard":
        logger = pl.loggers.TensorBoardLogger("tensorboard")
    elif kind == "mlflow":
        logger = pl.loggers.MLFlowLogger(tracking_uri="sqlite:///mlflow.db")
    trainer = pl.Trainer(
        max_epochs=epochs, logger=logger, callbacks=callbacks, log_every_n_steps=every, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
    )
    rows = DataLoader(TensorDataset(torch.randn(steps * 4 // epochs, 8)), batch_size=4)
    began = time.perf_counter()
    trainer.fit(Tiny(), rows)
    return time.perf_counter() - began
"""

OWN = (
    FIT
    + """
from runlore_lightning._training import Training
from runlore_lightning._wrapping import TappedFit
TappedFit._log_metrics = timed(TappedFit._log_metrics)  # with Lightning's own part, which has no logger to tell
if every > 1:
    Training._write_rates = timed(Training._write_rates)
fit("runlore")
print(sum(own) / steps / 1e3 if every > 1 else statistics.median(own) / 1e3)
"""
)

WALL = (
    FIT
    + """
fit("plain")
print(fit(kind) / fit("plain"))
"""
)


def own_work(world: World, every: int) -> float:
    return float(world.python(OWN, "runlore", str(every), str(STEPS), str(EPOCHS)))


@figure(
    "Lightning: own work a step, logged at every step, median", "µs", 16, beside="Lightning: a step without a logger"
)
def logged_step(world: World) -> float:
    return own_work(world, 1)


@figure("Lightning: own work a step that logs nothing", "µs", 1, beside="Lightning: a step without a logger")
def silent_step(world: World) -> float:
    return own_work(world, 10**9)


@floor("Lightning: a step without a logger", "µs")
def plain_step(world: World) -> float:
    script = FIT + "fit('plain'); print(fit('plain') / steps * 1e6)"
    return float(world.python(script, "plain", "1", str(STEPS), str(EPOCHS)))


def wall(world: World, kind: str) -> float:
    return float(world.python(WALL, kind, "1", str(STEPS), str(EPOCHS)))


@figure("Lightning: a fit with RunloreCallback", "× plain", None, beside="Lightning: a fit with CSVLogger")
def with_runlore(world: World) -> float:
    return wall(world, "runlore")


@floor("Lightning: a fit with CSVLogger", "× plain")
def with_csv(world: World) -> float:
    return wall(world, "csv")


@figure("Lightning: a fit with TensorBoardLogger", "× plain", None, beside="Lightning: a fit with CSVLogger")
def with_tensorboard(world: World) -> float:
    return wall(world, "tensorboard")


@figure("Lightning: a fit with MLFlowLogger", "× plain", None, beside="Lightning: a fit with CSVLogger")
def with_mlflow(world: World) -> float:
    return wall(world, "mlflow")
