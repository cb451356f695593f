"""What is known of the data that a model is fitted to or evaluated on, none of it consumed for this."""

from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.loaders import kind_of, length, record_loader
from runlore.hookspecs import DataDescription

INPUTS = 10  # of a model with several that are described


def arguments_of(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments of `fit` or `evaluate` that hold data, by name; weights of samples count as such."""
    for name in ("x", "y", "sample_weight"):
        if arguments.get(name) is not None:
            yield from flat(name, arguments[name])
    validation = arguments.get("validation_data")
    if isinstance(validation, tuple | list):
        for name, part in zip(("val_x", "val_y", "val_sample_weight"), validation, strict=False):
            yield from flat(name, part)
    elif validation is not None:
        yield "val", validation


def flat(name: str, data: Any) -> Iterator[tuple[str, Any]]:
    """One set of data, or those of a model with several inputs or outputs, by name."""
    parts = list(_parts(data))
    if not parts:
        yield name, data
    for key, part in parts[:INPUTS]:
        yield from flat(f"{name}.{key}", part)


def describe(target: FitSession | Additions, name: str, data: Any, found: DataDescription | None = None) -> None:
    """Tell a run, or what is added to one, what a set of data looks like, if nobody has `found` that already."""
    found = found or guest.describe(data)
    if found is not None:
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
