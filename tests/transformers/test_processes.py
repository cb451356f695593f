"""Two processes of a launcher make one run; and accelerate's trackers, for loops of one's own."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from tests.process import Process
from tests.transformers.models import ROOT, only

Python = Callable[..., Process]

SCRIPT = """
import os, sys
from pathlib import Path
import runlore
from runlore_transformers import RunloreCallback
from tests.transformers.models import At, trainer

folder, how, ending = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
callbacks = [RunloreCallback()] if how == "callback" else []
if how == "autolog":
    runlore.autolog()

def fail():
    raise ValueError("no more")

if ending == "fail":
    callbacks.append(At(3, fail))
made = trainer(folder, *callbacks, save_strategy="steps", save_steps=3, eval_strategy="steps", eval_steps=3)
made.train()
made.evaluate()
assert made.args.world_size == 2
"""

# Python's own end is left out of it: there gloo's threads abort now and then, with us or without (pytorch, 179291)
LAUNCHED = """
import atexit, os
passed = []
atexit.register(lambda: passed and os._exit(0))  # registered first, called last
{script}
passed.append(True)
"""


def port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def launch(launcher: str, folder: Path, script: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    head = {
        "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={port()}"],
        "accelerate": [
            "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes=2",
            "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", f"--main_process_port={port()}",
        ],
    }[launcher]  # fmt: skip
    file = folder / "train.py"
    file.write_text(LAUNCHED.format(script=script))
    command = [sys.executable, *head, str(file), *arguments]
    environment = {**os.environ, "PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_two_processes_make_one_run(store: Store, tmp_path: Path, launcher: str, how: str) -> None:
    done = launch(launcher, tmp_path, SCRIPT, str(tmp_path / "out"), how, "none")
    assert done.returncode == 0, done.stderr[-3000:]
    run = only(store)
    assert run.status == "finished"
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.metrics["eval_loss"].steps.tolist() == [3, 6]
    assert [item.step for item in run.artifacts if item.kind == "checkpoint"] == [3, 6]


def test_a_failure_of_both_is_one_failed_run(store: Store, tmp_path: Path) -> None:
    done = launch("torchrun", tmp_path, SCRIPT, str(tmp_path / "out"), "callback", "fail")
    assert done.returncode != 0
    run = only(store)
    assert run.status in ("failed", "interrupted")  # its own exception, or the launcher's SIGTERM behind the other's
    assert run.status == "interrupted" or run.error["message"] == "no more"


# accelerate's trackers

LOOP = """
import sys, warnings
warnings.simplefilter("ignore")
import torch
from accelerate import Accelerator
from runlore_transformers import RunloreTracker

how, ending = sys.argv[1], sys.argv[2]
log_with = RunloreTracker("digits", run_name="looped") if how == "object" else "runlore"
accelerator = Accelerator(cpu=True, log_with=log_with)
assert accelerator.num_processes == int(sys.argv[3])
accelerator.init_trackers("digits", config={"lr": 0.1, "net": "linear"})
net = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
net, optimizer = accelerator.prepare(net, optimizer)
for step in range(4):
    loss = net(torch.ones(2, 3)).pow(2).mean()
    accelerator.backward(loss)
    optimizer.step()
    accelerator.log({"loss": loss, "phase": "warm"} if step == 0 else {"loss": loss.item()}, step=step)
    if step == 2 and ending == "fail":
        raise ValueError("no more")
if ending == "none":
    accelerator.end_training()
"""


@pytest.mark.parametrize("how", ["object", "name"])
def test_a_loop_of_ones_own_is_tracked(store: Store, python: Python, how: str) -> None:
    python(LOOP, how, "none", "1").succeed()
    run = only(store)
    assert (run.status, run.experiment, run.params) == ("finished", "digits", {"lr": 0.1, "net": "linear"})
    assert (run.name == "looped") == (how == "object")
    assert run.metrics["loss"].steps.tolist() == [0, 1, 2, 3]
    assert run.notes == ["{'phase': 'warm'}"]


def test_a_loop_that_fails_says_so(store: Store, python: Python) -> None:
    python(LOOP, "object", "fail", "1").wait()
    run = only(store)
    assert (run.status, run.error["message"]) == ("failed", "no more")


def test_a_loop_that_forgets_its_end_ends_with_python(store: Store, python: Python) -> None:
    python(LOOP, "object", "forget", "1").succeed()
    assert only(store).status == "finished"


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_a_loop_in_two_processes_is_one_run(store: Store, tmp_path: Path, launcher: str) -> None:
    done = launch(launcher, tmp_path, LOOP, "object", "none", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    run: Any = only(store)
    assert (run.status, run.metrics["loss"].count) == ("finished", 4)
