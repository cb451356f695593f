"""What is known of the data that a model is fitted to, none of it consumed for this."""

from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.loaders import kind_of, length, record_loader

INPUTS = 10  # of a model with several that are described


def record(session: FitSession, arguments: Mapping[str, Any]) -> None:
    """The arguments of `fit` that hold data; weights of samples count as such."""
    for name in ("x", "y", "sample_weight"):
        _describe(session, name, arguments.get(name))
    validation = arguments.get("validation_data")
    if not isinstance(validation, tuple | list):
        _describe(session, "val", validation)
        return
    for name, part in zip(("val_x", "val_y", "val_sample_weight"), validation, strict=False):
        _describe(session, name, part)


def _describe(session: FitSession, name: str, data: Any) -> None:
    if data is None:
        return
    parts = list(_parts(data))
    if parts:
        for key, part in parts[:INPUTS]:
            _describe(session, f"{name}.{key}", part)
    elif hasattr(data, "dataset"):
        record_loader(session, name, data)
    else:
        found = guest.describe(data)
        if found is not None:
            session.data(name, found)
        else:  # a generator, say, or a dataset that makes its batches as they are asked for
            batches = length(data)
            session.data(name, kind=kind_of(data), **({} if batches is None else {"batches": batches}))


def _parts(data: Any) -> Iterator[tuple[Any, Any]]:
    """The arrays of a model with several inputs or outputs."""
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list | tuple) and data and all(hasattr(item, "shape") for item in data):
        yield from enumerate(data)
