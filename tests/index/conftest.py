"""A store for queries."""

import pytest

from runlore import Store
from tests.index.runs import VALUES


@pytest.fixture(scope="package")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("query") / "store")
    for number, value in enumerate(VALUES):
        params = {"x": value, "n": number, "lambda": number / 10}
        with store.start_run(f"run-{number}", params=params if number else {"n": 0}, tags={"half": number % 2}) as run:
            if number % 3:
                for step in range(3):
                    run.log_metrics({"loss": float(number - step)}, step=step)
                    run.log_metrics({"loss": number + step / 10}, step=step, split="val")
    return store
