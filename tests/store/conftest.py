"""Two runs."""

import math

import pytest

from runlore import Store


@pytest.fixture
def filled(store: Store) -> Store:
    with store.start_run("one", params={"lr": 0.1, "mixed": 1, "list": [1, 2]}, tags={"t": "v"}) as run:
        run.log_metrics({"loss": 1.0, "<b>": math.nan})
    with store.start_run("<script>alert(1)</script>", params={"lr": 0.2, "mixed": "text"}) as run:
        run.log_metrics({"loss": 0.5})
    return store
