"""The same tests on another backend, in a process of its own, as a process has only one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
TESTS = sorted({*HERE.glob("test_*.py")} - {Path(__file__), HERE / "test_upstream.py"})
SHORT = [
    HERE / "test_contract.py", HERE / "test_optimizers.py", "-m", "not process and not stress", "-k", "not autolog"
]  # fmt: skip


@pytest.mark.parametrize(
    "chosen", [pytest.param(SHORT, marks=pytest.mark.stress), pytest.param(TESTS, marks=pytest.mark.long)]
)
@pytest.mark.skipif(os.environ["KERAS_BACKEND"] != "torch", reason="the process that asks for another backend")
def test_it_is_the_same_on_jax(chosen: list[str | Path]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *chosen],
        cwd=HERE.parent.parent, env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
