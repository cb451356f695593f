"""Runs with several learning rates and seeds."""

import pytest

from runlore import Store

ACCURACIES = {0.1: [0.90, 0.91, 0.89, 0.93], 0.2: [0.92, 0.94, 0.90, 0.96], 0.3: [0.5]}


@pytest.fixture
def seeded(store: Store) -> Store:
    """Three learning rates, four seeds of two of them, one of the third; one run without the metric."""
    for lr, values in ACCURACIES.items():
        for seed, value in enumerate(values):
            with store.start_run(f"lr{lr}-{seed}", params={"lr": lr, "seed": seed, "model": "cnn"}) as run:
                run.log_metrics({"val_acc": 0.99}, step=1)
                run.log_metrics({"val_acc": value, "val/loss": 1 - value}, step=2)
    store.start_run("broken", params={"lr": 0.1, "seed": 9, "model": "mlp"}).finish()
    return store
