"""Warnings of runlore: silence is one thread's, a child's too when it is forked in it, and a report gets through it."""

import errno
import io
import os
import threading
import warnings
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import RunloreWarning, Store
from runlore._warnings import report, without_reports, without_warnings
from runlore.errors import StoreRefused


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


def test_a_run_lets_no_warning_show_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python forgets which warnings it has shown whenever somebody changes its filters in the documented ways."""
    changed: list[object] = []
    monkeypatch.chdir(Path(__file__).parent)  # in a repository, so that git is asked
    monkeypatch.setattr(warnings, "_filters_mutated", lambda: changed.append(None))
    with runlore.start_run("quiet"):
        pass
    assert not changed
    assert store.run("quiet").status == "finished"


def test_reading_and_adding_let_no_warning_show_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with runlore.start_run("read", params={"path": "a1"}):
        pass
    changed: list[object] = []
    monkeypatch.setattr(warnings, "_filters_mutated", lambda: changed.append(None))
    assert len(store.runs(r"match(params.path, '\d')")) == 1  # Python warns of such an escape
    with store.run("read").attach() as run:
        run.log_params({"more": 1})
    assert not changed
    assert store.run("read").params["more"] == 1


def test_what_can_not_be_added_is_an_error_and_no_warning(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with runlore.start_run("full"):
        pass
    run = store.run("full")

    real_open = os.open

    def open_without_making(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return real_open(path, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", open_without_making)
    with warnings.catch_warnings(record=True) as caught, pytest.raises(StoreRefused, match="'full'"):
        warnings.simplefilter("always")
        run.attach()
    assert not caught


def test_only_the_own_thread_reports_nothing() -> None:
    with without_reports():
        report("not heard")  # the tests make errors of warnings, which `report` would print
        with pytest.warns(RunloreWarning, match="heard"):
            thread = threading.Thread(target=report, args=("heard",))
            thread.start()
            thread.join()
    with pytest.warns(RunloreWarning, match="again"):
        report("again")
