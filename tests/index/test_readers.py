"""Readers that bring the same index up to date."""

from runlore import Store


def test_two_readers_of_a_growing_run_keep_one_index(store: Store) -> None:
    """What one had added once looked like damage to the other, which made the index anew."""
    other = Store(store.root)
    inode = None
    run = store.start_run("grows")
    for step in range(5):
        run.log_metrics({"a": float(step)})
        assert store.runs()[0].metrics["a"].count == step + 1
        run.log_metrics({"a": float(step)}, step=step)
        assert other.runs()[0].metrics["a"].count == step + 1
        now = (store.root / "index-v1.sqlite").stat().st_ino
        assert inode in (None, now)
        inode = now
    run.finish()
