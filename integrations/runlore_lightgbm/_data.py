"""Descriptions of the data that a training is given, before lightgbm lets go of it; nothing is read for them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np

from runlore import FitSession, guest
from runlore.guest.datasets import kind_of, length
from runlore.guest.sets import numbered
from runlore_lightgbm._calls import TrainCall
from runlore_lightgbm._framework import EVAL, FIT

MAX_SETS = 20  # that are described


def record_data(session: FitSession, call: TrainCall) -> None:
    """Describe the sets of a call: those that an estimator was fitted to, or the datasets of `train` and `cv`."""
    parts = _parts_of_fit(call.fit) if call.fit is not None else _parts_of_call(call.arguments)
    for name, part in parts:
        session.record(lambda session, name=name, part=part: _record(session, name, part))  # type: ignore[misc]


def sets_of(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the datasets that a call of `train` watches, by the names that lightgbm gives them."""
    sets, names = arguments.get("valid_sets"), arguments.get("valid_names")
    sets = [sets] if isinstance(sets, lightgbm.Dataset) else sets
    names = [names] if isinstance(names, str) else names
    sets = list(sets) if isinstance(sets, list | tuple) else []
    given = [str(names[place] if names and len(names) > place else f"valid_{place}") for place in range(len(sets))]
    yield from zip(numbered(given), sets[:MAX_SETS], strict=False)


def _parts_of_call(arguments: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    train = arguments.get("train_set")
    yield from _parts_of("train_set", train)
    for name, item in sets_of(arguments):
        if item is not train:
            yield from _parts_of(name, item)


def _parts_of(name: str, dataset: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(dataset, lightgbm.Dataset):
        yield name, dataset
        yield f"{name}_y", dataset.label
        for ending in ("weight", "group", "init_score", "position"):
            yield f"{name}_{ending}", getattr(dataset, ending, None)


def _parts_of_fit(fit: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of an estimator's fit that hold data, under the names that scikit-learn's have."""
    yield from ((name, fit.get(name)) for name in FIT)
    for place, item in enumerate(_watched_in(fit)[:MAX_SETS]):
        for ending, part in zip(("", ".y"), item, strict=False):
            yield f"eval_set.{place}{ending}", part
        for ending, name in EVAL.items():
            parts = fit.get(name)
            if isinstance(parts, list | tuple) and len(parts) > place:
                yield f"eval_set.{place}.{ending}", parts[place]


def _watched_in(fit: Mapping[str, Any]) -> Sequence[Any]:
    """Return the pairs that a fit watches, by whichever of its arguments; since lightgbm 4.7 it has two forms."""
    sets, features, targets = (fit.get(name) for name in ("eval_set", "eval_X", "eval_y"))
    if features is not None:
        both = (item if isinstance(item, tuple) else (item,) for item in (features, targets))
        return list(zip(*both, strict=False))
    if isinstance(sets, tuple):  # one pair alone
        return [sets]
    return sets if isinstance(sets, list) else ()


def _record(session: FitSession, name: str, part: Any) -> None:
    if part is None:
        return
    if not isinstance(part, lightgbm.Dataset):
        session.data(name, part)
        return
    whole, rows = part, part.used_indices
    if rows is not None:  # a subset, which has nothing of its own before it is constructed
        whole = part.reference
        session.data(f"{name}_rows", np.asarray(rows))
    content, names = whole.data, whole.feature_name
    facts: dict[str, Any] = {"columns": list(names)} if isinstance(names, list) else {}
    chosen = whole.categorical_feature
    facts |= {"categorical": list(chosen)} if isinstance(chosen, list | tuple) else {}
    facts |= {} if rows is None else {"subset_rows": len(rows)}
    in_batches = isinstance(content, list) and all(isinstance(item, lightgbm.Sequence) for item in content)
    found = None if content is None or in_batches else guest.describe(content)
    if found is not None:
        session.data(name, found, **facts)
    elif content is None:  # constructed before, and the values were let go
        session.data(name, shape=(whole.num_data(), whole.num_feature()), kind=kind_of(whole), **facts)
    elif in_batches:
        session.data(name, kind=kind_of(content[0]), rows=sum(map(len, content)), **facts)
    else:  # a file, or what is read in batches
        path = {"path": str(content)} if isinstance(content, str) else {"rows": length(content)}
        session.data(name, kind=kind_of(content), **path, **facts)
