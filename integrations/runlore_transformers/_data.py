"""Descriptions of the datasets of a Trainer; nothing is loaded for them."""

from collections.abc import Mapping
from typing import Any

from runlore import guest
from runlore.guest.datasets import kind_of, length
from runlore.guest.recorder import Recorder
from runlore.guest.sets import EvaluatedSet
from runlore.guest.wrapping import Written
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
        target.loader(name, dataset)


def record_evaluated(
    target: Recorder, stage: str, dataset: Any, written: Written | None = None, *, fits: bool = False
) -> str:
    """Record the data of an evaluation, or of those of a training; return what the names of its metrics end in."""
    named = _name_set(target, stage, dataset, written, fits=fits)
    if named.is_new:
        record_data(target, f"{stage}{named.ending}", dataset)
    return named.ending


def _name_set(target: Recorder, stage: str, dataset: Any, written: Written | None, *, fits: bool) -> EvaluatedSet:
    """Return the name of a set of data; a text, by which a Trainer knows one of several, is its name."""
    if dataset is None:
        return EvaluatedSet(stage)
    if isinstance(dataset, str):
        return EvaluatedSet(stage, f"/{dataset}")
    several = dict(list(dataset.items())[:MAX_SETS]) if isinstance(dataset, Mapping) else {}
    parts = {f"{stage}_{key}": part for key, part in several.items()} or {stage: dataset}
    prints = {name: fingerprint_of(part) for name, part in parts.items()}
    return target.evaluated_on(stage, parts, found={}, prints=prints, fits=fits, written=written, names_parts=True)


def _record_table(target: Recorder, name: str, dataset: Any) -> None:
    """Record a dataset of the `datasets` library."""
    facts = {
        "rows": length(dataset),
        "columns": list(dataset.column_names or ())[:MAX_COLUMNS],
        "dtypes": [str(getattr(item, "dtype", item)) for item in list((dataset.features or {}).values())[:MAX_COLUMNS]],
        "fingerprint": fingerprint_of(dataset),
    }
    target.data(name, kind=kind_of(dataset), **{key: value for key, value in facts.items() if value})
