"""A step that is logged again."""

from runlore import Store


def test_a_repeated_step_in_many_series_is_summed_up_right(store: Store) -> None:
    """Series with repeated steps are summed up again, all of them together."""
    with store.start_run("wide") as run:
        for step in [*range(500), 3]:
            run.log_metrics({f"m{number}": float(step) for number in range(40)}, step=step)
    store.reindex()
    assert {series.count for series in store.run("wide").metrics.values()} == {500}
