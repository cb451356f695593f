"""Descriptions of the datasets of a Trainer; nothing is loaded for them."""

from collections.abc import Hashable, Mapping
from typing import Any

from runlore import guest
from runlore.guest.loaders import kind_of, length, record_loader
from runlore.guest.recorder import Recorder
from runlore.guest.wrapping import token_of
from runlore_transformers._framework import fingerprint_of

MAX_SETS = 10  # that are described where a Trainer evaluates several
MAX_COLUMNS = 100  # whose names and types are listed
MAX_HASHED_ROWS = 10_000  # of a list; the content of a longer one is not hashed


def record_data(target: Recorder, name: str, dataset: Any) -> None:
    """Record what a dataset looks like, or each of several by name."""
    if dataset is None or isinstance(dataset, str):
        return
    if isinstance(dataset, Mapping):
        for key, part in list(dataset.items())[:MAX_SETS]:
            record_data(target, f"{name}_{key}", part)
    elif hasattr(dataset, "features") and hasattr(dataset, "column_names"):
        _record_table(target, name, dataset)
    elif isinstance(dataset, list | tuple) and len(dataset) <= MAX_HASHED_ROWS:
        target.data(name, guest.describe(dataset))
    else:
        record_loader(target, name, dataset)


def identity_of(dataset: Any) -> Hashable:
    """Return what tells a dataset from others: the fingerprint of its library, or a token of this very object."""
    found: Hashable = fingerprint_of(dataset) or token_of(dataset)
    return found


def _record_table(target: Recorder, name: str, dataset: Any) -> None:
    """Record a dataset of the `datasets` library."""
    facts = {
        "rows": length(dataset),
        "columns": list(dataset.column_names or ())[:MAX_COLUMNS],
        "dtypes": [str(getattr(item, "dtype", item)) for item in list((dataset.features or {}).values())[:MAX_COLUMNS]],
        "fingerprint": fingerprint_of(dataset),
    }
    target.data(name, kind=kind_of(dataset), **{key: value for key, value in facts.items() if value})
