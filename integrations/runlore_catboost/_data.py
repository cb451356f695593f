"""Descriptions of the data that a fit is given: what a pool holds in memory, nothing that has to be read."""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import catboost
import numpy as np

from runlore import FitSession, guest
from runlore.guest.datasets import kind_of

MAX_ENTRIES = 1 << 17  # of a pool that are copied out, which takes 0.2 µs each
SAMPLED = 1 << 15  # of a larger one, in blocks of rows
BLOCKS = 16
MAX_WEIGHTS = 1 << 20  # of a pool that are looked at
MAX_SETS = 20  # that are described
BESIDE = ("group_id", "group_weight", "subgroup_id", "pairs", "pairs_weight", "baseline")  # arguments that hold data


def record_data(session: FitSession, parts: Iterator[tuple[str, Any]]) -> None:
    """Describe the parts of the data, by their names."""
    for name, part in parts:
        session.record(lambda session, name=name, part=part: _record(session, name, part))  # type: ignore[misc]


def parts_of(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the data in the arguments of a fit, under the names that scikit-learn's have."""
    yield from ((name, arguments.get(name)) for name in ("X", "y", "sample_weight", *BESIDE))
    sets = arguments.get("eval_set")
    for place, item in enumerate(sets[:MAX_SETS] if isinstance(sets, list) else [sets]):
        pair = item if isinstance(item, tuple) else (item,)
        for ending, part in zip(("", ".y"), pair, strict=False):
            yield f"eval_set.{place}{ending}", part


def _record(session: FitSession, name: str, part: Any) -> None:
    if isinstance(part, catboost.Pool):
        _record_pool(session, name, part)
    elif isinstance(part, str | os.PathLike):  # a file, which catboost reads itself
        session.data(name, kind=kind_of(part), path=os.fspath(part))
    elif part is not None:
        session.data(name, guest.describe(part) or part)


def _record_pool(session: FitSession, name: str, pool: Any) -> None:
    rows, columns = pool.shape
    names = pool.get_feature_names()  # empty texts where nobody has named them
    facts: dict[str, Any] = {"pool": kind_of(pool), **({"columns": names} if any(names) else {})}
    for kind, places in _places(pool).items():
        facts |= {kind: [names[place] or place for place in places]} if places else {}
    facts |= {"content": "quantised"} if pool.is_quantized() else {}
    found = _content(pool, rows, columns)
    if found is None:
        session.data(name, shape=(rows, columns), **facts)
    elif len(found) < rows:
        sample = guest.describe(found)
        facts |= {"sampled_rows": len(found), "sample": None if sample is None else sample.fingerprint}
        session.data(name, shape=(rows, columns), **facts)
    else:
        session.data(name, found, **facts)
    beside = "{}" if name == "X" else name + ".{}"  # as the arguments of a fit are called
    if pool.has_label():
        session.data(beside.format("y"), np.asarray(pool.get_label()))
    weights = np.asarray(pool.get_weight()) if rows <= MAX_WEIGHTS else np.ones(1)
    if (weights != 1).any():
        session.data(beside.format("sample_weight"), weights)
    found = {"group_id": pool.get_group_id_hash(), "baseline": pool.get_baseline() if rows <= MAX_WEIGHTS else None}
    for kind, part in found.items():
        if part is not None and np.size(part):
            session.data(beside.format(kind), np.asarray(part))
    if pool.num_pairs():
        session.data(beside.format("pairs"), rows=int(pool.num_pairs()))


def _places(pool: Any) -> dict[str, list[int]]:
    """Return the places of columns that hold no numbers, by what they hold."""
    return {
        "categorical": pool.get_cat_feature_indices(),
        "text": pool.get_text_feature_indices(),
        "embedding": pool.get_embedding_feature_indices(),
    }


def _content(pool: Any, rows: int, columns: int) -> Any:
    """Return the numbers that a pool holds, or blocks of its rows; None where it has categories, texts, or bins."""
    with suppress(catboost.CatBoostError):
        if rows * columns > MAX_ENTRIES:
            length = max(1, SAMPLED // columns // BLOCKS)
            starts = np.linspace(0, rows - length, BLOCKS, dtype=np.int64)
            pool = pool.slice(np.unique(starts[:, None] + np.arange(length)))
        return pool.get_features()
    return None
