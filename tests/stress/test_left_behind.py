"""Descriptors, threads and what runs at exit are the user's: a thousand of anything leave no more behind than a few."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.process import Process
from tests.stress.left_behind import CORE

TIMES = {**dict.fromkeys(CORE, 1000), **dict.fromkeys(("resumed", "fit", "partial_fit", "evaluation"), 300)}
SLOW = {"keras_evaluation": 60, "lightning_fit": 40}  # which begin with half as many: all that is bounded is at 16


@pytest.mark.stress
@pytest.mark.parametrize("action", [*TIMES, *SLOW])
def test_a_thousand_of_each_leave_nothing_behind(store: Store, python: Callable[..., Process], action: str) -> None:
    times = {**TIMES, **SLOW}[action]
    script = Path(__file__).with_name("left_behind.py")
    assert python(script, action, f"{times}", KERAS_BACKEND="torch").succeed() == ""
