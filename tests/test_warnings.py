"""Warnings of runlore: silence is one thread's, a child's too when it is forked in it, and a report gets through it."""

import io
import os
import threading
import warnings
from contextlib import redirect_stderr

import pytest

from runlore import RunloreWarning
from runlore._warnings import report, without_warnings


def exit_code_of_child(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def shows(message: str) -> bool:
    """Whether a warning of this thread shows, by the filters as they are."""
    try:
        warnings.warn(message, UserWarning, stacklevel=2)
    except UserWarning:  # as the tests make errors of them
        return True
    return False


def test_only_the_own_thread_is_silent_and_only_in_the_block() -> None:
    found = []
    with without_warnings():
        assert not shows("here")
        thread = threading.Thread(target=lambda: found.append(shows("there")))
        thread.start()
        thread.join()
    assert found == [True]
    assert shows("afterwards")


def test_a_report_shows_in_silence() -> None:
    with without_warnings(), without_warnings():
        with pytest.warns(RunloreWarning, match="heard"):
            report("heard")
        assert not shows("silent again")


def test_a_child_that_is_forked_in_silence_reports_and_ends_it() -> None:
    with without_warnings():
        child = os.fork()
        if child == 0:
            with redirect_stderr(io.StringIO()) as told:  # where the error goes that the tests make of a warning
                report("heard")
            os._exit(0 if told.getvalue() == "runlore: heard\n" and not shows("still silent") else 1)
        assert exit_code_of_child(child) == 0


def test_the_silence_of_another_thread_ends_with_a_fork() -> None:
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with without_warnings():
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(20)
    child = os.fork()
    if child == 0:
        patterns = [pattern for _, pattern, *_ in warnings.filters if hasattr(pattern, "active")]
        os._exit(0 if patterns and not any(pattern.active for pattern in patterns) else 1)  # type: ignore[union-attr]
    leave.set()
    thread.join()
    assert exit_code_of_child(child) == 0
