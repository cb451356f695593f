"""Tests of fits that begin, pause and end."""

from collections.abc import Callable
from typing import Any

import pytest

from runlore import FitSession, Store, guest
from runlore.guest.session import Beside
from runlore.guest.wrapping import token_of
from tests.process import Process

Python = Callable[..., Process]


def test_a_session_that_records_nothing_can_be_used_all_the_same(store: Store, tmp_path: Any) -> None:
    with FitSession.begin("own", guest.FitRequest(leader=False)) as session:
        assert not session
        session.params({"a": 1})
        session.metrics({"loss": 1.0}, step=1)
        session.checkpoint(tmp_path / "nothing.bin")
        session.record(lambda session: 1 / 0)  # type: ignore[arg-type]
        with session.removing(tmp_path / "nothing.bin"):
            pass
        session.child("c", params={}, points={}, tags={})
        session.flush()
    session.end(ValueError("again"))
    assert not store.exists


def test_a_block_that_raises_ends_as_the_exception_says(store: Store) -> None:
    with pytest.raises(KeyboardInterrupt), FitSession.begin("own"):
        raise KeyboardInterrupt
    with pytest.raises(SystemExit), FitSession.begin("own") as session:
        session.end(SystemExit(3), interrupted=True)
        raise SystemExit(3)
    with pytest.raises(GeneratorExit), FitSession.begin("own"):
        raise GeneratorExit
    assert [run.status for run in store.runs()] == ["interrupted"] * 3


def test_a_trial_that_a_search_ends_has_not_failed(store: Store) -> None:
    class TrialPruned(Exception):
        pass

    for place in (None, lambda: (4, 1.5), lambda: 1 / 0):
        with pytest.raises(TrialPruned), FitSession.begin("own") as session:
            session.place = place  # type: ignore[assignment]
            raise TrialPruned("no promise")
    assert [run.status for run in store.runs()] == ["finished"] * 3
    told = [run.tags.get("stopped") for run in store.runs()]
    assert told == [None, "step 4, epoch 1.5: pruned: no promise", "pruned: no promise"]


@pytest.mark.parametrize(("ended", "status"), [(True, "finished"), (False, "interrupted")])
def test_what_a_paused_fit_leaves_of_the_users_open_run(store: Store, python: Python, ended: bool, status: str) -> None:
    python(f"""
        import runlore
        runlore.start_run("mine").__enter__()  # Python ends within the block
        session = runlore.FitSession.begin("own")
        session.pause(returned=False)
        if {ended}:
            session.end()
    """).succeed()
    assert store.run("mine").status == status


def test_a_fit_that_never_returned_is_not_finished(store: Store, python: Python) -> None:
    process = python("""
        import multiprocessing
        from runlore import FitSession, guest
        def work():
            # its framework swallows Ctrl-C, and the process just ends
            FitSession.begin("own", guest.FitRequest(leader=True))
        child = multiprocessing.get_context("fork").Process(target=work)
        child.start()
        child.join()
    """)
    process.succeed()
    assert store.runs()[0].status == "interrupted"


def test_an_evaluation_before_the_training_is_the_baseline_of_its_run(store: Store) -> None:
    with FitSession.begin("net", guest.FitRequest(name="net", visits=True)) as evaluation:
        evaluation.metrics({"val_loss": 3.0}, step=0, split="val")
    assert store.run("net").tags == {"integration": "net", "purpose": "evaluation"}
    with FitSession.begin("net", guest.FitRequest(continues=evaluation.run)) as training:
        training.metrics({"val_loss": 2.0}, step=10, split="val")
    run = store.run("net")
    assert (len(store.runs()), run.status, run.tags) == (1, "finished", {"integration": "net"})
    assert (run.metrics["val_loss"].steps.tolist(), run.metrics["val_loss"].values.tolist()) == ([0, 10], [3.0, 2.0])
    assert run.links == []


def test_a_baseline_in_a_group_belongs_to_the_fold_that_follows(store: Store) -> None:
    with store.group("cv"):
        for fold in range(2):
            with FitSession.begin("net", guest.FitRequest(name=f"fold-{fold}", visits=True)) as evaluation:
                evaluation.metrics({"val_loss": 3.0}, step=0, split="val")
            with FitSession.begin("net", guest.FitRequest(continues=evaluation.run)) as training:
                training.metrics({"val_loss": 2.0}, step=10, split="val")
    folds = store.run("cv").children
    assert [fold.name for fold in folds] == ["fold-0", "fold-1"]
    assert [fold.metrics["val_loss"].steps.tolist() for fold in folds] == [[0, 10]] * 2


class Model:
    """Something that is trained or evaluated."""


def told(model: Any, label: str, split: str = "test") -> None:
    found = Beside.fit_under_way(model, label)
    assert found is not None
    found.metrics({f"{split}_loss": 0.5}, split=split)


def test_names_of_what_is_evaluated_in_a_fit(store: Store) -> None:
    own, teacher, critic = Model(), Model(), Model()
    at = [0]
    with FitSession.begin("own") as session:
        session.trains, session.place = token_of(own), lambda: (at[0], 0.5)
        session.metrics({"val_loss": 1.0}, step=0, split="val")
        for step in (0, 10, 20):
            at[0] = step
            told(own, "Model")
            told(own, "Model", "val")
            told(teacher, "Model")
            if step:
                told(critic, "Model")
            told(Model(), "average")  # anew each time
    (run,) = store.runs()
    found = {key: run.metrics[key].steps.tolist() for key in run.metrics}
    whole = [0, 10, 20]
    assert found == {
        "val_loss": [0], "test_loss": whole, "val_loss/again": whole, "test_loss/Model": whole,
        "test_loss/Model_2": [10, 20], "test_loss/average": whole,
    }  # fmt: skip
    assert set(run.metrics["test_loss/Model"].epochs.tolist()) == {0.5}
    assert session.place is None  # it would hold the trainer


def test_models_of_one_name_at_one_step_are_numbered_up_to_a_limit(store: Store) -> None:
    models = [Model() for _ in range(25)]
    with FitSession.begin("own") as session:
        session.place = lambda: (3, None)
        for model in models:
            told(model, "fold")
    (run,) = store.runs()
    assert len(run.metrics) == 21
    assert {"test_loss/fold", "test_loss/fold_2", "test_loss/fold_20", "test_loss/fold_more"} <= set(run.metrics)


def test_nothing_is_told_where_no_recorded_fit_is_under_way(store: Store) -> None:
    assert Beside.fit_under_way(Model(), "m") is None
    with guest.unrecorded():
        assert Beside.fit_under_way(Model(), "m") is None
    with FitSession.begin("own", guest.FitRequest(leader=False)):
        assert Beside.fit_under_way(Model(), "m") is None
