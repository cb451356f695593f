"""What is known of the datasets of a Trainer, none of it loaded for this."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions
from runlore.guest.loaders import kind_of, length, record_loader

SETS = 10  # of several to evaluate on that are described
COLUMNS = 100  # whose types are listed
ROWS = 10_000  # of a list whose content is hashed


def record(target: FitSession | Additions, name: str, dataset: Any) -> None:
    """A dataset, or several by name."""
    if dataset is None or isinstance(dataset, str):
        return
    if isinstance(dataset, Mapping):
        for key, part in list(dataset.items())[:SETS]:
            record(target, f"{name}_{key}", part)
    elif hasattr(dataset, "features") and hasattr(dataset, "column_names"):
        _record_table(target, name, dataset)
    elif isinstance(dataset, list | tuple) and len(dataset) <= ROWS:
        target.data(name, guest.describe(dataset))
    else:
        record_loader(target, name, dataset)


def _record_table(target: FitSession | Additions, name: str, dataset: Any) -> None:
    """One of the `datasets` library, with the fingerprint that it gives to content and transformations."""
    facts = {
        "rows": length(dataset),
        "columns": list(dataset.column_names or ())[:COLUMNS],
        "dtypes": [str(getattr(item, "dtype", item)) for item in list((dataset.features or {}).values())[:COLUMNS]],
        "fingerprint": getattr(dataset, "_fingerprint", None),
    }
    target.data(name, kind=kind_of(dataset), **{key: value for key, value in facts.items() if value})
