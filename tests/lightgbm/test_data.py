"""What is recorded of the data that lightgbm is given: content, shape, and all that belongs to its rows."""

from typing import Any

import lightgbm
import numpy as np
import pytest

from runlore import Store
from runlore_lightgbm import RunloreCallback
from tests.lightgbm.models import PARAMS, only, rows, train


@pytest.mark.shows("lightgbm", "data")
def test_datasets_are_described_before_lightgbm_lets_their_values_go(store: Store) -> None:
    train(RunloreCallback())
    run, (x, y) = only(store), rows()
    assert set(run.data) == {"train_set", "train_set_y", "held out", "held out_y"}
    with store.start_run("known") as known:
        assert run.data["train_set"]["fingerprint"] == known.log_data("x", x)
    assert run.data["train_set_y"]["shape"] == [len(y)]


def test_all_that_belongs_to_the_rows_of_a_dataset_is_described(store: Store) -> None:
    x, y = rows()
    settings: Any = {"group": [60, 60], "position": np.tile(np.arange(60), 2), "init_score": np.zeros(120)}
    data = lightgbm.Dataset(np.abs(x), y, categorical_feature=[1], **settings)
    params = {**PARAMS, "objective": "lambdarank"}
    lightgbm.train(params, data, 2, callbacks=[RunloreCallback()])
    run = only(store)
    assert set(run.data) == {"train_set", "train_set_y", *(f"train_set_{name}" for name in settings)}
    assert run.data["train_set"]["categorical"] == [1]


def test_a_dataset_that_was_constructed_before_has_its_shape(store: Store) -> None:
    data = lightgbm.Dataset(
        *rows(), weight=np.linspace(0.5, 1, 120), feature_name=["a", "b", "c"], params=PARAMS
    ).construct()
    lightgbm.train(PARAMS, data, 2, valid_sets=[data], callbacks=[RunloreCallback()])
    found = only(store).data
    assert (found["train_set"]["shape"], found["train_set"]["columns"]) == ([120, 3], ["a", "b", "c"])
    assert found["train_set_weight"]["shape"] == [120]


def test_what_is_read_in_batches_is_not_read_for_the_record(store: Store) -> None:
    class Batches(lightgbm.Sequence):  # type: ignore[misc]
        batch_size = 40
        reads = 0

        def __getitem__(self, place: Any) -> Any:
            type(self).reads += 1
            return rows()[0][place].astype(float)

        def __len__(self) -> int:
            return 120

    lightgbm.train(PARAMS, lightgbm.Dataset(Batches(), rows()[1]), 2)
    plainly, Batches.reads = Batches.reads, 0
    lightgbm.train(PARAMS, lightgbm.Dataset(Batches(), rows()[1]), 2, callbacks=[RunloreCallback()])
    assert Batches.reads == plainly
    assert (only(store).data["train_set"]["rows"], "fingerprint" in only(store).data["train_set"]) == (120, False)
