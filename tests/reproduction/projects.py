"""A small project that is trained once and repeated by `runlore reproduce`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import Result

from runlore import Store
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import kept_content
from runlore.recording.captures import section_event
from runlore.store.runs import RecordedRun
from tests.commands import document, runlore

TRAIN = """\
import os, sys
from pathlib import Path
import numpy as np
import runlore
from helper import scale

seed = int(sys.argv[1])
numbers = np.random.default_rng(None if seed < 0 else seed)
data = np.loadtxt("data/x.csv")
with runlore.start_run("first" if Path("here").exists() else None, params={"seed": seed}) as run:
    run.log_data("x", data)
    run.log_data("table", Path("data/x.csv"))
    factor = float(os.environ.get("FACTOR", "1"))
    for step in range(10):
        run.log_metrics({"loss": scale(numbers.random() / (step + 1)) * factor}, step=step)
    np.save("w.npy", numbers.random(10) + data.sum())
    run.log_artifact("w.npy", kind="model")
"""
SMALL = """\
import os, sys
import runlore
with runlore.start_run("first") as run:
    run.log_metrics({"loss": 1.0})
"""


def train(project: Path, *arguments: str, script: str = "train.py", **environment: str) -> None:
    """Run the script in the project that the working directory is, in a process of its own."""
    command = [sys.executable, *script.split(), *(arguments or ("3",))]
    subprocess.run(command, cwd=Path.cwd(), env={**os.environ, **environment}, check=True, capture_output=True)


def reproduce(*arguments: str) -> Result:
    """Repeat the run with the packages that are here."""
    return runlore("reproduce", "first", "--here", *arguments)


def everything(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of every file below a folder."""
    return {
        str(path): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def problems(*arguments: str) -> dict[str, str]:
    """Return the problems of the plan for the run, by the part that they are of."""
    found = document("reproduce", "first", "--here", "--dry-run", "--json", *arguments)["problems"]
    return {item["part"]: item["what"] for item in found}


def forged(store: Store, **recorded: Any) -> RecordedRun:
    """Return a run whose environment has the sections that an attacker wants."""
    with store.start_run("first") as run:
        run.log_metrics({"loss": 1.0})
    added = store.run(run).attach()
    for name, values in recorded.items():
        added.run_log.event(section_event(name, values))
    added.finish()
    return store.run(run)


def kept_code(store: Store, files: dict[str, bytes]) -> dict[str, Any]:
    """Return the facts of a snapshot of code; its files are kept in the store."""
    return kept_content({"name": "source", "kind": "code"}, files, Blobs(store.folder.blobs))
