"""The rules of being a guest that no framework shows: launchers' variables, pools, hand-overs, signals."""

import pickle
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from runlore import FitSession, RunloreWarning, Store, guest
from runlore.guest.launch import Launch
from tests.process import Process

Python = Callable[..., Process]

FOLLOWERS = [
    {"RANK": "1", "WORLD_SIZE": "2"},
    {"LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    {"LOCAL_RANK": "0", "NODE_RANK": "1", "WORLD_SIZE": "4"},
    {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"},
]
LEADERS = [
    {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"},
    {"RANK": "1"},
    {"RANK": "first", "WORLD_SIZE": "2"},
    {"WORLD_SIZE": "2"},
    {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"},
]


@pytest.mark.parametrize("variables", FOLLOWERS, ids=str)
def test_a_process_that_follows_records_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not FitSession.begin("own")
    with store.start_run("mine") as run:
        run.log_metrics({"loss": 1.0})
    assert len(store.runs()) == 0
    with FitSession.begin("own", guest.FitRequest(leader=True)) as session:
        assert session
    assert len(store.runs()) == 1


@pytest.mark.parametrize("variables", LEADERS, ids=str)
def test_a_process_that_leads_records(store: Store, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with FitSession.begin("own") as session:
        assert session
    assert len(store.runs()) == 1


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


def test_work_in_a_pool_is_part_of_the_fit_by_its_token(store: Store) -> None:
    def work(token: Any) -> None:
        with guest.within(token):
            inside = guest.in_fit()
            with FitSession.begin("inner") as session:
                found.append((inside, bool(session)))

    found: list[tuple[bool, bool]] = []
    with FitSession.begin("outer"):
        for token in (guest.token(), None):
            thread = threading.Thread(target=work, args=(token,))
            thread.start()
            thread.join()
    assert found == [(True, False), (False, True)]


def test_a_hook_that_fails_is_told_once_and_returns_none() -> None:
    @guest.harmless
    def hook(value: int) -> int:
        return 1 // value

    assert hook(1) == 1
    with pytest.warns(RunloreWarning, match="less is recorded: .*hook failed: ZeroDivisionError") as caught:
        assert hook(0) is None
        assert hook(0) is None
    assert len(caught) == 1


def test_a_launch_leads_its_processes_into_the_users_run(store: Store) -> None:
    with store.start_run("mine") as mine:
        launch = pickle.loads(pickle.dumps(Launch.prepare()))
        assert (launch.store, launch.outer) == (str(store.root), mine.id)
    assert Launch.prepare().outer is None
    assert launch.renewed().token == launch.token
    assert launch.renewed().outer is None


def test_the_end_of_a_launched_run_is_told_from_outside_if_it_could_not_tell_it(store: Store, python: Python) -> None:
    launch = Launch.prepare()
    begin = f"""
        import os, pickle
        from runlore import FitSession, guest
        session = FitSession.begin("own", guest.FitRequest(launch=pickle.loads({pickle.dumps(launch)!r})))
        session.metrics({{"loss": 1.0}}, step=1)
        os.kill(os.getpid(), 9)
    """
    assert python(begin).wait() == -9
    assert store.runs()[0].status == "crashed"
    launch.failed(RuntimeError("a child was killed"))
    (run,) = store.runs()
    assert (run.status, run.error and run.error["message"]) == ("failed", "a child was killed")
    launch.failed(RuntimeError("too late"))
    assert (store.runs()[0].error or {})["message"] == "a child was killed"
    Launch.prepare().failed(RuntimeError("of no run"))
    assert len(store.runs()) == 1


def test_the_word_of_the_process_itself_counts(store: Store) -> None:
    launch = Launch.prepare()
    with pytest.raises(ValueError, match="its own"), FitSession.begin("own", guest.FitRequest(launch=launch)):
        raise ValueError("its own")
    launch.failed(RuntimeError("from outside"))
    assert (store.runs()[0].error or {})["message"] == "its own"


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
