"""Tests of fits that begin, pause and end."""

from collections.abc import Callable
from typing import Any

import pytest

from runlore import FitSession, Store, guest
from tests.process import Process

Python = Callable[..., Process]


def test_a_session_that_records_nothing_can_be_used_all_the_same(store: Store, tmp_path: Any) -> None:
    with FitSession.begin("own", guest.FitRequest(leader=False)) as session:
        assert not session
        session.params({"a": 1})
        session.metrics({"loss": 1.0}, step=1)
        session.checkpoint(tmp_path / "nothing.bin")
        session.record(lambda session: 1 / 0)  # type: ignore[arg-type]
        with session.removing(tmp_path / "nothing.bin"):
            pass
        session.child("c", params={}, points={}, tags={})
        session.flush()
    session.end(ValueError("again"))
    assert not store.exists


def test_a_block_that_raises_ends_as_the_exception_says(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), FitSession.begin("own"):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit), FitSession.begin("own") as session:
        session.end(SystemExit(3), interrupted=True)
        raise SystemExit(3)
    assert [run.status for run in store.runs()] == ["interrupted", "interrupted"]


@pytest.mark.parametrize(("ended", "status"), [(True, "finished"), (False, "interrupted")])
def test_what_a_paused_fit_leaves_of_the_users_open_run(store: Store, python: Python, ended: bool, status: str) -> None:
    python(f"""
        import runlore
        runlore.start_run("mine").__enter__()  # Python ends within the block
        session = runlore.FitSession.begin("own")
        session.pause(returned=False)
        if {ended}:
            session.end()
    """).succeed()
    assert store.run("mine").status == status


def test_a_fit_that_never_returned_is_not_finished(store: Store, python: Python) -> None:
    process = python("""
        import multiprocessing
        from runlore import FitSession, guest
        def work():
            # its framework swallows Ctrl-C, and the process just ends
            FitSession.begin("own", guest.FitRequest(leader=True))
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
    """)
    process.succeed()
    assert store.runs()[0].status == "interrupted"
