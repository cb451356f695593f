"""Two processes that a launcher starts make one run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from tests.process import Process, Ranks, free_port
from tests.transformers.models import LOOP, ROOT, only

Python = Callable[..., Process]
Launch = Callable[..., tuple[int, str]]
SETTINGS = {"PYTHONPATH": ROOT, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}

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


LAUNCHED = """
import atexit, os
passed = []
atexit.register(lambda: passed and os._exit(0))  # registered first, called last
{script}
passed.append(True)
"""


COLD = [pytest.param(name, marks=pytest.mark.stress) for name in ("torchrun", "accelerate")]
LAUNCHERS = ["two", *COLD]  # "two" are processes with the variables that each launcher gives to its own


@pytest.fixture
def launch(tmp_path: Path, warm_python: Python) -> Launch:
    """Runs a script in two processes; returns the exit status and what stood on stderr."""

    def start(launcher: str, script: str, *arguments: str) -> tuple[int, str]:
        file = tmp_path / "train.py"
        file.write_text(LAUNCHED.format(script=script))
        if launcher == "two":
            ranks = Ranks(warm_python, file, *arguments, **SETTINGS)
            return ranks.wait(), ranks.err
        command = [sys.executable, *head(launcher), str(file), *arguments]
        environment = {**os.environ, **SETTINGS}
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr

    return start


def head(launcher: str) -> list[str]:
    """Return what stands before the script in the launcher's command."""
    return {
        "torchrun": ["-m", "torch.distributed.run", "--nproc_per_node=2", f"--master_port={free_port()}"],
        "accelerate": [
            "-m", "accelerate.commands.accelerate_cli", "launch", "--multi_gpu", "--num_processes=2",
            "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", f"--main_process_port={free_port()}",
        ],
    }[launcher]  # fmt: skip


@pytest.mark.shows("transformers", "processes")
@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("how", ["callback", "autolog"])
def test_two_processes_make_one_run(store: Store, tmp_path: Path, launch: Launch, launcher: str, how: str) -> None:
    status, said = launch(launcher, SCRIPT, str(tmp_path / "out"), how, "none")
    assert status == 0, said[-3000:]
    run = only(store)
    assert run.status == "finished"
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert run.metrics["eval_loss"].steps.tolist() == [3, 6]
    assert [item.step for item in run.artifacts if item.kind == "checkpoint"] == [3, 6]


@pytest.mark.parametrize("launcher", LAUNCHERS[:2])
def test_a_failure_of_both_is_one_failed_run(store: Store, tmp_path: Path, launch: Launch, launcher: str) -> None:
    status, _ = launch(launcher, SCRIPT, str(tmp_path / "out"), "callback", "fail")
    assert status != 0
    run = only(store)
    assert run.status in ("failed", "interrupted")  # its own exception, or the launcher's SIGTERM behind the other's
    assert run.status == "interrupted" or run.error["message"] == "no more"


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_loop_in_two_processes_is_one_run(store: Store, launch: Launch, launcher: str) -> None:
    status, said = launch(launcher, LOOP, "object", "none", "2")
    assert status == 0, said[-3000:]
    run: Any = only(store)
    assert (run.status, run.metrics["loss"].count) == ("finished", 4)
