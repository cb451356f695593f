"""What is known of the data that a model is fitted to or evaluated on, none of it consumed for this."""

from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.additions import Additions
from runlore.loaders import kind_of, length, record_loader

INPUTS = 10  # of a model with several that are described


def arguments_of(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of `fit` or `evaluate` that hold data, by name; weights of samples count as such."""
    for name in ("x", "y", "sample_weight"):
        if arguments.get(name) is not None:
            yield name, arguments[name]
    validation = arguments.get("validation_data")
    if isinstance(validation, tuple | list):
        yield from zip(("val_x", "val_y", "val_sample_weight"), validation, strict=False)
    elif validation is not None:
        yield "val", validation


def describe(target: FitSession | Additions, name: str, data: Any) -> None:
    """Tell a run, or what is added to one, what a dataset looks like."""
    parts = list(_parts(data))
    found = None if parts else guest.describe(data)
    if parts:
        for key, part in parts[:INPUTS]:
            describe(target, f"{name}.{key}", part)
    elif found is not None:
        target.data(name, found)
    elif hasattr(data, "dataset"):
        record_loader(target, name, data)
    elif data is not None:  # a generator, say, or a dataset that makes its batches as they are asked for
        batches = length(data)
        target.data(name, kind=kind_of(data), **({} if batches is None else {"batches": batches}))


def _parts(data: Any) -> Iterator[tuple[Any, Any]]:
    """The arrays of a model with several inputs or outputs."""
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list | tuple) and data and all(hasattr(item, "shape") for item in data):
        yield from enumerate(data)
