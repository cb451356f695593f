"""Tests of the guards around hooks and signals."""

import signal
from collections.abc import Callable

import pytest

from runlore import RunloreWarning, Store, guest
from tests.process import Process

Python = Callable[..., Process]


def test_a_hook_that_fails_is_told_once_and_returns_none() -> None:
    @guest.harmless
    def hook(value: int) -> int:
        return 1 // value

    assert hook(1) == 1
    with pytest.warns(RunloreWarning, match="less is recorded: .*hook failed: ZeroDivisionError") as caught:
        assert hook(0) is None
        assert hook(0) is None
    assert len(caught) == 1


def test_a_signals_mark_is_set_again_after_a_framework_has_reset_it(store: Store, python: Python) -> None:
    process = python("""
        import os, signal
        import runlore
        with runlore.start_run("before"):
            pass
        signal.signal(signal.SIGTERM, lambda *_: None)  # a trainer's own handler
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which it takes off again
        run = runlore.start_run("after")
        os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert process.wait() == -signal.SIGTERM
    assert store.run("after").status == "interrupted"


def test_a_handler_of_the_users_stays_the_users(store: Store, python: Python) -> None:
    process = python("""
        import os, signal
        import runlore
        with runlore.start_run("before"):
            pass
        signal.signal(signal.SIGTERM, lambda *_: print("mine", flush=True))
        with runlore.start_run("after"):
            os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert process.succeed() == "mine\n"
    assert [run.status for run in store.runs()] == ["finished", "finished"]
