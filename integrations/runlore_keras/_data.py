"""Descriptions of the data that a model is fitted to or evaluated on; none of it is consumed for this."""

from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.guest.datasets import kind_of, length
from runlore.guest.recorder import Recorder
from runlore.hookspecs import DataDescription

MAX_PARTS = 10  # inputs or outputs of one model that are described


def data_in(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of `fit` or `evaluate` that hold data, sample weights included, by name."""
    for name in ("x", "y", "sample_weight"):
        if arguments.get(name) is not None:
            yield from _flat(name, arguments[name])
    validation = arguments.get("validation_data")
    if isinstance(validation, tuple | list):
        for name, part in zip(("val_x", "val_y", "val_sample_weight"), validation, strict=False):
            yield from _flat(name, part)
    elif validation is not None:
        yield "val", validation


def record_data(target: Recorder, name: str, data: Any, found: DataDescription | None = None) -> None:
    """Record what a set of data looks like: as `found`, or as can be found out now."""
    found = found or guest.describe(data)
    if found is not None:
        target.data(name, found)
    elif hasattr(data, "dataset"):
        target.loader(name, data)
    elif data is not None:  # a generator, say, or a dataset that makes its batches as they are asked for
        batches = length(data)
        target.data(name, kind=kind_of(data), **({} if batches is None else {"batches": batches}))


def record_data_of(session: FitSession, arguments: Mapping[str, Any]) -> None:
    """Record the data of a fit, and which of it is the set of its own validation."""
    data = dict(data_in(arguments))
    found = {name: guest.describe(part) for name, part in data.items()}
    for name, part in data.items():
        session.record(lambda session, name=name, part=part: record_data(session, name, part, found[name]))  # type: ignore[misc]
    validation = {name: part for name, part in data.items() if name.startswith("val")}
    if validation:
        session.evaluated_on("val", validation, found={name: found[name] for name in validation}, fits=True)


def _flat(name: str, data: Any) -> Iterator[tuple[str, Any]]:
    """Yield a set of data by its name, or the arrays of a model with several inputs or outputs by theirs."""
    parts = list(_parts(data))
    if not parts:
        yield name, data
    for key, part in parts[:MAX_PARTS]:
        yield from _flat(f"{name}.{key}", part)


def _parts(data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list | tuple) and data and all(hasattr(item, "shape") for item in data):
        yield from enumerate(data)
