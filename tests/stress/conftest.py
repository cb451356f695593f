"""Processes that start warm and quiet, and a library of faults."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore.testing.warm import WarmParents
from tests.process import Process, scripts
from tests.stress.trainings import MODULES

ROOT = str(Path(__file__).parent.parent.parent)
VARIABLES = {
    "PYTHONPATH": ROOT,
    "RUNLORE_QUIET": "1",
    "KERAS_BACKEND": "torch",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}
Begin = Callable[..., Process]


@pytest.fixture
def begin(tmp_path: Path, runlore_warm_parents: WarmParents) -> Iterator[Begin]:
    """Starts a script of this folder for one of the trainings, forked from a process that has imported its framework.

    `begin(training, script, *arguments, **variables)`; what still runs at the end is killed.
    """
    modules: tuple[str, ...] = ()
    with scripts(tmp_path, lambda environment: runlore_warm_parents.parent(modules, environment)) as start:

        def starting(training: str, script: str, *arguments: str, **variables: Any) -> Process:
            nonlocal modules
            modules = MODULES[training]
            return start(Path(__file__).with_name(script), training, *arguments, **{**VARIABLES, **variables})

        yield starting


@pytest.fixture(scope="session")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The library that lets calls of the system fail, made for this machine."""
    compiler = shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("faults are made by a library for Linux, which needs a C compiler")
    made = tmp_path_factory.mktemp("shim") / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return str(made)
