"""Tests of trainings in processes that a framework starts."""

import pickle
from collections.abc import Callable

import pytest

from runlore import FitSession, Store, guest
from runlore.guest.launch import Launch
from tests.process import Process

Python = Callable[..., Process]


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
