"""What is known of the data that a Trainer loads, none of it loaded for this."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from runlore import FitSession

LOADERS = 10  # of a combined loader that are described
TENSORS = 10  # of a dataset that are described


def record_data(session: FitSession, trainer: Any) -> None:
    """The datasets for training and validation: class, rows, batch size; tensors in memory with their fingerprints."""
    for name, loaders in (("train", trainer.train_dataloader), ("val", trainer.val_dataloaders)):
        found = list(islice(_flat(loaders), LOADERS))
        for place, loader in enumerate(found):
            _record_loader(session, name if len(found) == 1 else f"{name}_{place}", loader)


def first_dataset(loaders: Any) -> Any:
    """What tells one set of loaders from another."""
    loader = next(_flat(loaders), None)
    return getattr(loader, "dataset", loader)


def _record_loader(session: FitSession, name: str, loader: Any) -> None:
    dataset = getattr(loader, "dataset", loader)
    facts = {"batch_size": getattr(loader, "batch_size", None), "rows": _length(dataset)}
    inner = dataset
    while type(inner).__name__ == "Subset":  # as random_split makes them
        inner = inner.dataset
    kind = f"{type(inner).__module__}.{type(inner).__qualname__}"
    session.data(name, kind=kind, **{key: value for key, value in facts.items() if value is not None})
    tensors = getattr(inner, "tensors", None)
    for place, tensor in enumerate(tensors[:TENSORS] if isinstance(tensors, tuple) else ()):
        if tensor.device.type == "cpu" and str(tensor.layout) == "torch.strided":
            session.data(f"{name}.{place}", tensor.detach().numpy())
            session.data(f"{name}.{place}", kind="torch.Tensor")


def _flat(loaders: Any) -> Iterator[Any]:
    """The loaders in what a Trainer may be given: one, a list of them, a mapping, or either nested."""
    if isinstance(loaders, dict):
        loaders = list(loaders.values())
    if isinstance(loaders, list | tuple):
        for loader in loaders:
            yield from _flat(loader)
    elif loaders is not None:
        yield loaders


def _length(dataset: Any) -> int | None:
    return len(dataset) if hasattr(type(dataset), "__len__") else None
