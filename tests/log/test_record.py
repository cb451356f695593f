"""The record of a run: several files are one run."""

from runlore import Store


def test_a_finished_run_is_not_reopened_but_linked(store: Store) -> None:
    store.start_run("first").finish()
    with store.start_run("second", resume="first") as run:
        assert run.id != store.run("first").id
    assert store.run("second").links == [{"kind": "resumed_from", "run": store.run("first").id}]


def test_a_finished_run_takes_additions_and_keeps_its_end(store: Store) -> None:
    with store.start_run("done") as run:
        run.log_metrics({"loss": 1.0})
    before = store.run("done")
    before.set_tags({"good": "yes"})
    before.note("worth a second look")
    addition = before.attach()
    addition.log_metrics({"accuracy": 0.9}, split="test")
    addition.finish()
    after = store.run("done")
    assert (after.status, after.ended) == (before.status, before.ended)
    assert (after.tags, after.notes) == ({"good": "yes"}, ["worth a second look"])
    assert after.metrics["test/accuracy"].values.tolist() == [0.9]
    assert [run.id for run in store.runs("tags.good == 'yes'")] == [after.id]
