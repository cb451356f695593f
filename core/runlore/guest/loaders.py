"""Describe data loaders, which hand out batches of a dataset, without loading any of it."""

from typing import Any

from runlore.guest.recorder import Recorder

MAX_TENSORS = 10  # of a dataset that are described


def record_loader(target: Recorder, name: str, loader: Any) -> None:
    """Describe a loader, or a dataset itself: class, rows, batch size; tensors in memory with their fingerprints."""
    is_loader = hasattr(loader, "dataset") and (hasattr(loader, "batch_size") or hasattr(loader, "batch_sampler"))
    dataset = loader.dataset if is_loader else loader
    facts = {"batch_size": getattr(loader, "batch_size", None), "rows": length(dataset)}
    inner = dataset
    while type(inner).__name__ == "Subset":  # a part of another dataset
        inner = inner.dataset
    target.data(name, kind=kind_of(inner), **{key: value for key, value in facts.items() if value is not None})
    tensors = getattr(inner, "tensors", None)
    for place, tensor in enumerate(tensors[:MAX_TENSORS] if isinstance(tensors, tuple) else ()):
        target.data(f"{name}.{place}", tensor)


def kind_of(data: Any) -> str:
    """Return the class of a dataset, with its module."""
    return f"{type(data).__module__}.{type(data).__qualname__}"


def length(data: Any) -> int | None:
    """Return the length that a dataset reports; None where it reports none."""
    try:
        return len(data) if hasattr(type(data), "__len__") else None
    except (TypeError, NotImplementedError):  # a method, but no length
        return None
