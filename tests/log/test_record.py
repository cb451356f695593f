"""The record of a run: several files are one run."""

from datetime import UTC, datetime

import pytest

from runlore import Store
from runlore._startup import user_name


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
    assert after.tags == {"good": "yes"}
    assert [(note.text, note.user) for note in after.notes] == [("worth a second look", user_name())]
    assert before.started <= after.notes[0].time <= datetime.now(UTC)
    assert after.metrics["test/accuracy"].values.tolist() == [0.9]
    assert [run.id for run in store.runs("tags.good == 'yes'")] == [after.id]


def test_a_param_that_was_passed_once_counts_as_passed(store: Store) -> None:
    with pytest.raises(RuntimeError, match="down"), store.start_run("first", params={"lr": 0.1}) as run:
        run.log_params({"lr": 0.2, "eps": 1e-8, "betas": {"first": 0.9}}, captured=True)
        assert store.run("first").captured == {"eps", "betas.first"}
        raise RuntimeError("the node goes down")
    with store.start_run(resume="first") as run:
        run.log_params({"eps": 1e-6})
        run.log_params({"eps": 1e-7}, captured=True)
    before = store.run("first")
    store.reindex()
    for found in (before, store.run("first")):
        assert found.params == {"lr": 0.2, "eps": 1e-7, "betas.first": 0.9}
        assert found.captured == {"betas.first"}
