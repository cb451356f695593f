"""The data that a Trainer loads is described, and not loaded for it."""

from typing import Any

import pytest
import torch

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, data, only, trainer


@pytest.mark.shows("lightning", "data")
def test_the_data_is_described_by_what_is_in_memory(store: Store) -> None:
    class Endless(torch.utils.data.IterableDataset):  # type: ignore[type-arg]
        taken = 0

        def __iter__(self) -> Any:
            while True:
                Endless.taken += 1
                yield (torch.zeros(4, 3),)

    loaders = torch.utils.data.DataLoader(torch.utils.data.Subset(data(5).dataset, range(8)), batch_size=2)
    trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), loaders, data(2))
    found = only(store).data
    assert (found["train"]["rows"], found["train"]["batch_size"]) == (8, 2)
    assert found["train"]["kind"].endswith("TensorDataset")
    assert (found["train.0"]["shape"], found["val.0"]["shape"]) == ([20, 3], [8, 3])
    assert len(found["train.0"]["fingerprint"]) == 64
    endless = torch.utils.data.DataLoader(Endless(), batch_size=None)
    trainer(RunloreCallback(), max_epochs=1, limit_train_batches=3).fit(Tiny(), endless)
    taken = Endless.taken
    trainer(max_epochs=1, limit_train_batches=3).fit(Tiny(), endless)
    assert Endless.taken == 2 * taken  # as many as without us
    assert "rows" not in store.runs()[0].data["train"]
    assert store.runs()[0].missing == []
