"""Runs that change while somebody holds them."""

from runlore import Store


def test_a_recorded_run_outlives_the_sealing_of_its_log(store: Store) -> None:
    """The log that it had looked at is gone once the run has ended."""
    run = store.start_run("sealed")
    run.log_metrics({"a": 1.0})
    found = store.run("sealed")
    assert found.artifacts == []
    run.finish()
    assert found.metrics["a"].values.tolist() == [1.0]
