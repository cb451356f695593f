"""Descriptions of data; what hands out batches is asked for none of them."""

from collections.abc import Iterator
from typing import Any

import keras
import pandas as pd
import pytest

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows


@pytest.mark.shows("keras", "data")
def test_the_data_is_described(store: Store) -> None:
    x, y = rows()
    fit(model(), RunloreCallback(), validation_data=(x[:4], y[:4]))
    data = only(store).data
    assert (data["x"]["rows"], data["x"]["shape"], data["y"]["shape"], data["val_x"]["rows"]) == (
        16, [16, 3], [16, 1], 4,
    )  # fmt: skip
    assert len({data[name]["fingerprint"] for name in ("x", "y", "val_x", "val_y")}) == 4


def test_several_inputs_are_described_by_name(store: Store) -> None:
    first, second = keras.Input((3,), name="first"), keras.Input((3,), name="second")
    made = keras.Model({"first": first, "second": second}, keras.layers.Dense(1)(first + second))
    made.compile("sgd", "mse")
    x, y = rows()
    made.fit({"first": x, "second": 2 * x}, y, verbose=0, callbacks=[RunloreCallback()])
    data = only(store).data
    assert data["x.first"]["fingerprint"] != data["x.second"]["fingerprint"]


def test_a_table_with_a_column_named_dataset_is_a_table(store: Store) -> None:
    """A column is an attribute of its table, so this one was described as a loader."""
    table = pd.DataFrame(rows()[0], columns=["dataset", "b", "c"])
    model().fit(table, rows()[1], verbose=0, callbacks=[RunloreCallback()])
    assert only(store).data["x"]["columns"] == ["dataset", "b", "c"]


def test_a_generator_is_consumed_as_without_us(store: Store) -> None:
    taken: list[int] = []

    def batches() -> Iterator[Any]:
        for number in range(10):
            taken.append(number)
            yield rows(8)

    model().fit(batches(), steps_per_epoch=2, epochs=2, verbose=0)
    plain = list(taken)
    taken.clear()
    model().fit(batches(), steps_per_epoch=2, epochs=2, verbose=0, callbacks=[RunloreCallback()])
    if keras.backend.backend() == "tensorflow":  # it fetches some ahead, as many as it comes to
        assert taken == list(range(len(taken)))
    else:
        assert taken == plain
    assert only(store).data["x"] == {"kind": "builtins.generator"}


class Batches(keras.utils.PyDataset):
    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> Any:
        self.asked += 1
        return rows(8)


def test_a_dataset_is_asked_for_nothing_more(store: Store) -> None:
    plain, recorded = Batches(), Batches()
    model().fit(plain, epochs=2, verbose=0, shuffle=False)
    model().fit(recorded, epochs=2, verbose=0, shuffle=False, callbacks=[RunloreCallback()])
    assert recorded.asked == plain.asked
    assert only(store).data["x"]["batches"] == 2
