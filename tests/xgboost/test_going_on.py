"""Trainings of xgboost that go on from a model, and models that are copies or parts of another one."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import xgboost

from runlore import Store
from runlore_xgboost import RunloreCallback
from tests.xgboost.models import matrix, only, train


def test_a_booster_that_goes_on_is_linked_to_its_run(store: Store) -> None:
    first = train(RunloreCallback())
    train(RunloreCallback(), xgb_model=first, rounds=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": 4}]
    assert second.metrics["train/logloss"].steps.tolist() == [5, 6, 7]


WAYS: Any = {
    "copy": lambda booster: booster.copy(),
    "pickle": lambda booster: pickle.loads(pickle.dumps(booster)),
    "bytes": lambda booster: booster.save_raw("json"),
    "read from bytes": lambda booster: xgboost.Booster(model_file=booster.save_raw()),
    "the first three": lambda booster: booster[:3],
    "a pickled slice": lambda booster: pickle.loads(pickle.dumps(booster[0:3])),
    "the last three": lambda booster: booster[2:],
}


@pytest.mark.parametrize(("way", "step"), list(zip(WAYS, [4, 4, 4, 4, 2, 2, None], strict=True)))
def test_what_a_booster_became_in_memory_is_linked_to_its_run(store: Store, way: str, step: int | None) -> None:
    start = WAYS[way](train(RunloreCallback()))
    train(RunloreCallback(), xgb_model=start, rounds=3)
    second, before = store.runs()
    assert second.links == ([] if step is None else [{"kind": "resumed_from", "run": before.id, "step": step}])


def test_what_was_trained_on_before_it_was_pickled_is_linked_to_nothing(store: Store) -> None:
    booster = train(RunloreCallback())
    booster.update(matrix(), 5)
    train(RunloreCallback(), xgb_model=pickle.loads(pickle.dumps(booster)))
    assert store.runs()[0].links == []


@pytest.mark.shows("xgboost", "resume as lineage")
@pytest.mark.parametrize("loaded", [False, True])
def test_a_file_that_a_training_goes_on_from_is_lineage(store: Store, tmp_path: Path, loaded: bool) -> None:
    path = tmp_path / "model.json"
    train(RunloreCallback()).save_model(path)
    train(RunloreCallback(), xgb_model=xgboost.Booster(model_file=path) if loaded else str(path), rounds=3)
    second, before = store.runs()
    assert second.links == [{"kind": "resumed_from", "run": before.id, "step": 4}]


# The user's own


def test_a_copy_and_the_first_rounds_of_a_booster_are_of_its_run(store: Store, tmp_path: Path) -> None:
    """The best iterations, saved as xgboost's own pages advise, were a file of nobody's."""
    booster = train(RunloreCallback())
    made = {"whole": copy.deepcopy(booster), "copied": booster.copy(), "cut": booster[:2], "third": booster[2]}
    for name, item in made.items():
        item.save_model(tmp_path / f"{name}.json")
    files = {item.name: item.step for item in only(store).artifacts if item.kind == "model"}
    assert files == {"whole.json": 4, "copied.json": 4, "cut.json": 1}
    train(RunloreCallback(), xgb_model=made["cut"], rounds=1)
    assert store.runs()[0].links == [{"kind": "resumed_from", "run": store.runs()[1].id, "step": 1}]
