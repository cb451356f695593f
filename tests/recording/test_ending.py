"""Ending runs: with their block, with Python, by an exception."""

from collections.abc import Callable

import pytest

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("pass", "finished"),
        ("raise ValueError('no')", "failed"),
        ("raise KeyboardInterrupt", "interrupted"),
        ("raise SystemExit(0)", "finished"),
        ("raise SystemExit(3)", "failed"),
    ],
)
def test_the_end_of_a_block_is_the_status_of_its_run(store: Store, ending: str, status: str) -> None:
    try:
        with store.start_run("block"):
            exec(ending)
    except BaseException as error:
        caught: BaseException | None = error
    else:
        caught = None
    run = store.run("block")
    assert run.status == status
    assert (run.error or {}).get("type") == (type(caught).__name__ if caught else None)


def test_an_uncaught_exception_fails_a_run_without_a_block(store: Store, python: Python) -> None:
    process = python("import runlore; runlore.start_run('loose'); 1 / 0")
    assert process.wait() == 1
    run = store.run("loose")
    assert run.status == "failed"
    assert run.error is not None
    assert "ZeroDivisionError" in run.error["traceback"]


def test_a_run_without_a_block_ends_with_python(store: Store, python: Python) -> None:
    python("import runlore; runlore.start_run('loose').log_metrics({'x': 1})").succeed()
    assert store.run("loose").status == "finished"
