"""What a training loads its data with: objects that hand out batches of a dataset, none of it loaded for the record."""

from typing import Any

from runlore.guest.additions import Additions
from runlore.guest.session import FitSession

TENSORS = 10  # of a dataset that are described


def record_loader(target: FitSession | Additions, name: str, loader: Any) -> None:
    """Describe a loader, or a dataset itself: class, rows, batch size; tensors in memory with their fingerprints."""
    is_loader = hasattr(loader, "dataset") and (hasattr(loader, "batch_size") or hasattr(loader, "batch_sampler"))
    dataset = loader.dataset if is_loader else loader
    facts = {"batch_size": getattr(loader, "batch_size", None), "rows": length(dataset)}
    inner = dataset
    while type(inner).__name__ == "Subset":  # a part of another one
        inner = inner.dataset
    target.data(name, kind=kind_of(inner), **{key: value for key, value in facts.items() if value is not None})
    tensors = getattr(inner, "tensors", None)
    for place, tensor in enumerate(tensors[:TENSORS] if isinstance(tensors, tuple) else ()):
        target.data(f"{name}.{place}", tensor)


def kind_of(data: Any) -> str:
    """The class of a dataset, with its module."""
    return f"{type(data).__module__}.{type(data).__qualname__}"


def length(data: Any) -> int | None:
    """How long a dataset says that it is; None for one that doesn't say."""
    try:
        return len(data) if hasattr(type(data), "__len__") else None
    except (TypeError, NotImplementedError):  # it has the method, and no length
        return None
