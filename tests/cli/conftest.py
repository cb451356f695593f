"""A store with runs that commands show; the warnings of frameworks are not what is tested."""

import math

import pytest

from runlore import Store
from tests.quiet import without_foreign_warnings

__all__ = ["filled", "without_foreign_warnings"]


@pytest.fixture
def filled(store: Store) -> Store:
    with store.start_run("parent", params={"lr": 0.1, "bad": math.nan}, tags={"team": "vision"}) as run:
        run.log_metrics({"loss": math.nan, "acc": 0.5}, step=4)
        run.note("looks good")
        store.start_run("child", params={"lr": 0.2}, parent=run).finish()
    with pytest.raises(ZeroDivisionError), store.start_run("broken", experiment="other"):
        _ = 1 / 0
    return store
