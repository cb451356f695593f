"""Describe the data that a Trainer loads, without loading any of it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from runlore import FitSession
from runlore.guest.loaders import record_loader

MAX_LOADERS = 10  # of a combined loader that are described


def record_data(session: FitSession, trainer: Any) -> None:
    """Record class, rows and batch size of the datasets for training and validation, and fingerprints of tensors."""
    for name, loaders in (("train", trainer.train_dataloader), ("val", trainer.val_dataloaders)):
        found = list(islice(_flat(loaders), MAX_LOADERS))
        for place, loader in enumerate(found):
            record_loader(session, name if len(found) == 1 else f"{name}_{place}", loader)


def first_dataset(loaders: Any) -> Any:
    """Return the dataset of the first loader, which tells one set of loaders from another."""
    loader = next(_flat(loaders), None)
    return getattr(loader, "dataset", loader)


def _flat(loaders: Any) -> Iterator[Any]:
    """Yield the loaders of what a Trainer takes: one, a list of them, a mapping, or either nested."""
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple):
        for loader in loaders:
            yield from _flat(loader)
    elif loaders is not None:
        yield loaders
