"""Tests of which fits are under way, and where."""

import gc
import threading
import weakref
from collections.abc import Callable
from typing import Any

from runlore import FitSession, Store, guest
from tests.process import Process

Python = Callable[..., Process]


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


def test_a_fit_that_ends_in_another_context_is_over_in_all(store: Store) -> None:
    session = FitSession.begin("own")
    thread = threading.Thread(target=session.end)
    thread.start()
    thread.join()
    assert not guest.in_fit()
    with FitSession.begin("next") as following:
        assert following
    assert len(store.runs()) == 2


def test_fits_may_end_in_any_order(store: Store) -> None:
    paused = FitSession.begin("paused")
    paused.pause(returned=False)
    other = FitSession.begin("other")
    paused.resume()
    assert guest.current() is paused
    other.end()
    assert guest.current() is paused
    paused.end()
    assert not guest.in_fit()


def test_a_token_of_a_fit_that_is_over_is_without_effect(store: Store) -> None:
    with FitSession.begin("over"):
        token = guest.token()
    with guest.within(token):
        assert not guest.in_fit()
        with FitSession.begin("next"), guest.within(token):
            assert guest.current() is not None


def test_fits_that_end_in_other_contexts_are_not_held(store: Store) -> None:
    references = []
    for _ in range(3):
        session = FitSession.begin("own")
        thread = threading.Thread(target=session.end)
        thread.start()
        thread.join()
        references.append(weakref.ref(session))
    del session, thread
    gc.collect()
    assert [reference() is None for reference in references[:-1]] == [True, True]


def test_what_is_unrecorded_makes_no_run_unless_a_fit_is_around_it(store: Store) -> None:
    with guest.unrecorded():
        assert guest.in_fit()
        assert guest.current() is None
        assert not FitSession.begin("inner")
    with FitSession.begin("outer") as session, guest.unrecorded():
        assert guest.current() is session
    assert len(store.runs()) == 1
