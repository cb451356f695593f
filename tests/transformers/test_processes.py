"""Two processes that a launcher starts make one run."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from tests.transformers.models import LOOP, ROOT, only

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


@pytest.mark.parametrize("launcher", ["torchrun", "accelerate"])
def test_a_loop_in_two_processes_is_one_run(store: Store, tmp_path: Path, launcher: str) -> None:
    done = launch(launcher, tmp_path, LOOP, "object", "none", "2")
    assert done.returncode == 0, done.stderr[-3000:]
    run: Any = only(store)
    assert (run.status, run.metrics["loss"].count) == ("finished", 4)
