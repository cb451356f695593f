"""What is known of the data that a Trainer loads, none of it loaded for this."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from runlore import FitSession
from runlore.guest.loaders import record_loader

LOADERS = 10  # of a combined loader that are described


def record_data(session: FitSession, trainer: Any) -> None:
    """The datasets for training and validation: class, rows, batch size; tensors in memory with their fingerprints."""
    for name, loaders in (("train", trainer.train_dataloader), ("val", trainer.val_dataloaders)):
        found = list(islice(_flat(loaders), LOADERS))
        for place, loader in enumerate(found):
            record_loader(session, name if len(found) == 1 else f"{name}_{place}", loader)


def first_dataset(loaders: Any) -> Any:
    """What tells one set of loaders from another."""
    loader = next(_flat(loaders), None)
    return getattr(loader, "dataset", loader)


def _flat(loaders: Any) -> Iterator[Any]:
    """The loaders in what a Trainer may be given: one, a list of them, a mapping, or either nested."""
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple):
        for loader in loaders:
            yield from _flat(loader)
    elif loaders is not None:
        yield loaders
