"""Tests of what is added to a run after its fit."""

import os
import threading
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from runlore import FitSession, RunloreWarning, Store
from runlore.guest import FitRequest
from runlore.guest.additions import Additions, KnownWeights
from runlore.maintenance import removal
from runlore.recording import additions


def test_many_threads_that_add_to_one_run_lose_nothing(store: Store) -> None:
    runs = [store.start_run(f"r{number}") for number in range(24)]
    for run in runs:
        run.finish()
    before = len(os.listdir("/proc/self/fd"))

    def work() -> None:
        for _ in range(5):
            for run in runs:
                Additions(run).metrics({"score": 1.0})

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(os.listdir("/proc/self/fd")) <= before + additions.MAX_OPEN
    assert {store.run(run.id).metrics["score"].count for run in runs} == {30}


def test_nothing_is_added_to_a_run_that_was_removed(store: Store) -> None:
    """Nor does the addition bring the run back."""
    run = store.start_run("x")
    run.finish()
    removal.remove(store, [store.run("x")])
    with pytest.warns(RunloreWarning, match="not in .* any more"):
        Additions(run).metrics({"late": 1.0})
    assert len(store.runs()) == 0


def test_evaluations_of_checkpoints_leave_a_limited_number_of_files_open(store: Store, tmp_path: Path) -> None:
    """Each evaluation of a loaded checkpoint once left a log of its run open, up to as many as a process may have."""
    paths = []
    for number in range(additions.MAX_OPEN + 8):
        paths.append(tmp_path / f"{number}.bin")
        paths[-1].write_bytes(os.urandom(100))
        with FitSession.begin("own") as session:
            session.checkpoint(paths[-1], step=number)
    opened = []
    for path in paths * 2:
        found = Additions.to_writer_of(path, store)
        assert found is not None
        found.metrics({"test_loss": 1.0})
        opened.append(found)
        assert len(list(store.root.rglob("*.log"))) <= additions.MAX_OPEN
    for found in opened:
        found.close()
    assert not list(store.root.rglob("*.log"))


def test_weights_are_told_apart_by_one_look_for_all_of_a_type() -> None:
    weights = {"a": np.arange(1000.0), "b": np.ones(3), "c": np.arange(3), "d": np.array([{}, 1 << 2000])}
    joined: list[int] = []

    def join(some: list[np.ndarray]) -> np.ndarray:
        joined.append(len(some))
        return np.concatenate(some)

    known, fixed = KnownWeights(join), KnownWeights(fixed=True)
    for noting in (known, fixed):
        noting.note(3, 1.0, lambda: list(weights.values()))
    assert joined == [2, 1, 1]
    assert {noting.place(lambda: list(weights.values())) for noting in (known, fixed)} == {(3, 1.0)}
    weights["b"] = np.array([1.0, 1.0, 2.0])
    assert {noting.place(lambda: list(weights.values())) for noting in (known, fixed)} == {None}
    half = [weights["a"].astype("float16")]
    assert (known.place(lambda: half), fixed.place(lambda: half)) == ((3, 1.0), None)


def test_no_addition_need_replace_a_point(store: Store) -> None:
    with store.start_run("run") as run:
        run.log_metrics({"val_loss": 0.5, "acc": float("nan")}, step=3, split="val")
    found = Additions(run, 3).beside_recorded({"val_loss": 0.5, "acc": 0.75, "new": 1.0}, "val")
    assert found == {"acc/after": 0.75, "new": 1.0}
    assert Additions(run, 3).beside_recorded({"val_loss": 0.5}, "val") == {}
    assert Additions(run, 2).beside_recorded({"val_loss": 0.25}, "val") == {"val_loss": 0.25}


def test_weights_are_known_in_any_object_as_those_of_the_run_that_made_them(store: Store, tmp_path: Path) -> None:
    made, first = np.arange(8.0), np.ones(8)
    with FitSession.begin("own") as session:
        known = KnownWeights(run=session.run)
        known.note(0, 0.0, lambda: [first])  # as any fit with this seed begins
        known.note(3, 1.0, lambda: [made])
    found = Additions.to_maker_of(lambda: [made.copy()])
    assert found is not None
    assert (found.run.id, found.step, found.epoch) == (session.run.id, 3, 1.0)
    for other in (first, made + 1, made.astype("float32")):
        assert Additions.to_maker_of(partial(list, [other])) is None
    assert Additions.to_maker_of(lambda: [made], store=Store(tmp_path / "other")) is None


def test_a_fit_of_a_copy_is_linked_to_the_run_that_made_it_unless_that_is_known_otherwise(store: Store) -> None:
    with FitSession.begin("own") as first:
        pass
    made = Additions(first.run, 3)
    for name, before in (("copy", None), ("again", first.run)):
        FitSession.begin("own", FitRequest(name=name, copy_of=made, after=before)).end()
    assert store.run("copy").links == [{"kind": "started_from", "run": first.run.id, "step": 3}]
    assert store.run("again").links == [{"kind": "refit_of", "run": first.run.id}]


def test_warnings_of_a_framework_make_no_weights_alike(recwarn: pytest.WarningsRecorder) -> None:
    """With warnings as errors, other weights counted as those that were noted last."""

    def warn(weights: np.ndarray) -> list[np.ndarray]:
        warnings.warn("an array was copied", DeprecationWarning, stacklevel=1)
        return [weights]

    warnings.simplefilter("error")
    known = KnownWeights()
    known.note(3, 1.0, lambda: warn(np.ones(3)))
    assert known.place(lambda: warn(np.zeros(3))) is None
    assert known.place(lambda: warn(np.ones(3))) == (3, 1.0)
    assert not recwarn
