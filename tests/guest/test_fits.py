"""Tests of which fits are under way, and where."""

import threading
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
