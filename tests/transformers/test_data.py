"""Descriptions of datasets; a stream is consumed as without runlore."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import SAVING, Rows, only, trainer


@pytest.mark.shows("transformers", "data")
def test_a_table_has_the_fingerprint_of_its_library(store: Store, tmp_path: Path) -> None:
    from datasets import Dataset

    def table(count: int) -> Any:
        rows = Rows(count)
        return Dataset.from_dict({"input_ids": rows.words.tolist(), "labels": [0, 1] * (count // 2)})

    for count in (8, 8, 10):
        made = trainer(tmp_path, RunloreCallback(), max_steps=1)
        made.train_dataset = table(count)
        made.train()
    third, second, first = (run.data["train"] for run in store.runs())
    assert first["fingerprint"] == second["fingerprint"] != third["fingerprint"]
    assert (first["rows"], first["columns"], third["rows"]) == (8, ["input_ids", "labels"], 10)


def test_a_part_of_a_dataset_is_described_as_such(store: Store, tmp_path: Path) -> None:
    """A Subset was described with the rows of the whole dataset."""
    made = trainer(tmp_path, RunloreCallback())
    made.train_dataset = torch.utils.data.Subset(Rows(24), range(12))
    made.train()
    assert only(store).data["train"]["rows"] == 12


def test_data_is_described_in_checkpoints_runs_too(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, RunloreCallback(), **SAVING).train()
    assert only(store).data["train"]["rows"] == len(Rows())


class Endless(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
    def __init__(self) -> None:
        self.taken = 0

    def __iter__(self) -> Iterator[Any]:
        for row in Rows(64):
            self.taken += 1
            yield row


def test_a_stream_is_consumed_as_without_us(store: Store, tmp_path: Path) -> None:
    taken = []
    for callbacks in ([], [RunloreCallback()]):
        made = trainer(tmp_path, *callbacks)
        made.train_dataset = Endless()
        made.train()
        taken.append(made.train_dataset.taken)
    assert taken[0] == taken[1]
    assert only(store).data["train"]["kind"].endswith("Endless")
