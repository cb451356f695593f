"""Ending runs: with their block, with Python, by an exception."""

import asyncio
import signal
from collections.abc import Callable

import pytest

import runlore
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
        ("raise asyncio.CancelledError", "interrupted"),
        ("raise BaseExceptionGroup('tasks', [KeyboardInterrupt()])", "interrupted"),
        ("raise BaseExceptionGroup('tasks', [asyncio.CancelledError(), asyncio.CancelledError()])", "interrupted"),
        ("raise BaseExceptionGroup('tasks', [asyncio.CancelledError(), ValueError('no')])", "failed"),
        ("raise BaseExceptionGroup('tasks', [ValueError('no'), KeyboardInterrupt()])", "interrupted"),
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
    assert (run.error or {}).get("type", "None").rpartition(".")[2] == (type(caught).__name__ if caught else "None")


def test_a_script_that_ctrl_c_ends_dies_of_it(python: Python) -> None:
    """Python forgot the reason of its end while runs ended: the shell went on with the next line of its script."""
    process = python("import runlore; runlore.start_run('x'); raise KeyboardInterrupt")
    assert process.wait() == -signal.SIGINT


def test_ctrl_c_interrupts_the_run_of_a_coroutine(store: Store, python: Python) -> None:
    """asyncio tells the main task by a cancellation, and raises KeyboardInterrupt only behind it."""
    process = python("""
        import asyncio, runlore
        async def train():
            with runlore.start_run("async"):
                print("on", flush=True)
                await asyncio.sleep(100)
        asyncio.run(train())
    """)
    assert process.line() == "on"
    process.kill(signal.SIGINT)
    assert store.run("async").status == "interrupted"


def test_tasks_of_one_loop_have_runs_of_their_own(store: Store) -> None:
    async def task(number: int) -> None:
        with store.start_run(f"task-{number}"):
            for step in range(3):
                await asyncio.sleep(0)
                runlore.log_metrics({"x": float(number)}, step=step)
            if number == 1:
                raise ValueError("one of them fails")
            await asyncio.sleep(100)

    async def tasks() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(3):
                group.create_task(task(number))

    with pytest.raises(ExceptionGroup, match="unhandled"):
        asyncio.run(tasks())
    assert [store.run(f"task-{number}").status for number in range(3)] == ["interrupted", "failed", "interrupted"]
    assert [store.run(f"task-{number}").metrics["x"].values.tolist() for number in range(3)] == [
        [0.0] * 3, [1.0] * 3, [2.0] * 3,
    ]  # fmt: skip


def test_the_block_of_a_thread_that_ends_with_python_was_interrupted(store: Store, python: Python) -> None:
    python("""
        import runlore, threading
        began = threading.Event()
        def train():
            with runlore.start_run("daemon") as run:
                run.log_metrics({"x": 1.0})
                began.set()
                threading.Event().wait()
        threading.Thread(target=train, daemon=True).start()
        began.wait()
    """).succeed()
    assert store.run("daemon").status == "interrupted"


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
