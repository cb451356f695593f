"""RunloreLogger in a loop of the user's own, with Fabric: it was accepted, and recorded nothing."""

import gc
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreLogger
from tests.lightning.models import ROOT, Tiny, data, only, trainer
from tests.process import Process

Python = Callable[..., Process]

SCRIPT = """
    import sys, torch
    from lightning_fabric import Fabric
    from runlore_lightning import RunloreLogger
    fabric = Fabric(accelerator="cpu", loggers=[RunloreLogger("fabric", tags={"team": "vision"})])
    if sys.argv[1] != "metrics":
        fabric.loggers[0].log_hyperparams({"lr": 0.25})
    model = torch.nn.Linear(2, 1)
    model, optimizer = fabric.setup(model, torch.optim.SGD(model.parameters(), lr=0.25))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    for step in range(3):
        loss = model(torch.ones(1, 2)).sum()
        fabric.backward(loss)
        optimizer.step()
        fabric.log_dict({"loss": loss, "val_acc": 0.5}, step=step)
        schedule.step()
    if sys.argv[1] == "fail":
        raise ValueError("mine")
"""


@pytest.mark.parametrize(("how", "status"), [("go", "finished"), ("fail", "failed")])
def test_a_loop_is_a_run(store: Store, warm_python: Python, how: str, status: str) -> None:
    done = warm_python(SCRIPT, how, PYTHONPATH=ROOT)
    done.wait()
    run = only(store)
    assert (run.name, run.status, run.tags["team"], run.params["lr"]) == ("fabric", status, "vision", 0.25)
    assert (run.params["optimizer.name"], run.params["optimizer.lr"]) == ("SGD", 0.25)
    assert run.metrics["loss"].steps.tolist() == [0, 1, 2]
    assert run.metrics["lr-SGD"].values.tolist() == [0.25, 0.125, 0.0625]


def test_the_first_rate_is_there_where_metrics_are_all_that_is_logged(store: Store, warm_python: Python) -> None:
    """The optimizer was noticed from the first call on, which is behind its first step."""
    warm_python(SCRIPT, "metrics", PYTHONPATH=ROOT).wait()
    run = only(store)
    assert run.metrics["lr-SGD"].steps.tolist() == [0, 1, 2]
    assert run.params["optimizer.lr"] == 0.25


def test_a_logger_that_is_gone_or_given_to_a_trainer_notices_nothing_more(store: Store) -> None:
    hooks: Any = sys.modules["torch.optim.optimizer"]
    logger = RunloreLogger("unused")
    assert len(hooks._global_optimizer_post_hooks) == 1
    made = trainer(logger=logger, max_epochs=1)
    made.fit(Tiny(), data())
    assert not hooks._global_optimizer_post_hooks
    logger = RunloreLogger("gone")
    del logger
    gc.collect()
    assert not hooks._global_optimizer_post_hooks


def test_it_ends_when_the_loop_says_so(store: Store) -> None:
    logger = RunloreLogger("loop")
    hooks: Any = sys.modules["torch.optim.optimizer"]
    logger.log_metrics({"loss": 1.0}, step=0)
    assert only(store).status == "running"
    optimizer = torch.optim.Adam([torch.zeros(1, requires_grad=True)])
    optimizer.step()
    logger.log_metrics({"loss": 0.5}, step=1)
    logger.finalize("success")
    run = only(store)
    assert (run.status, run.params["optimizer.name"]) == ("finished", "Adam")
    assert not hooks._global_optimizer_post_hooks


def test_the_loop_within_a_run_of_the_users_is_a_part_of_it(store: Store) -> None:
    with store.start_run("mine"):
        logger = RunloreLogger("loop")
        logger.log_metrics({"loss": 1.0}, step=0)
        logger.finalize("success")
    run = only(store)
    assert (run.name, run.status, run.metrics["loss"].last) == ("mine", "finished", 1.0)
