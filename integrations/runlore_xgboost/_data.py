"""Descriptions of the data that a training is given: what a matrix holds in memory, nothing that has to be read."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import xgboost

from runlore import FitSession, guest
from runlore.guest.datasets import kind_of
from runlore.guest.sets import numbered
from runlore_xgboost._calls import TrainCall
from runlore_xgboost._framework import EVAL, FIT

MAX_ENTRIES = 1 << 24  # of a matrix that are copied to be hashed; of a larger one blocks of rows are
BLOCKS = 16
MAX_SETS = 20  # that are described


def record_data(session: FitSession, call: TrainCall) -> None:
    """Describe the sets of a call: those that an estimator was fitted to, or the matrices of `train` and `cv`."""
    if call.fit is not None:
        for name, part in _parts_of_fit(call.fit):
            session.record(lambda session, name=name, part=part: _record(session, name, part))  # type: ignore[misc]
        return
    train = call.arguments.get("dtrain")
    session.record(lambda session: _record_matrix(session, "dtrain", train))
    evals = call.arguments.get("evals")
    listed = evals if isinstance(evals, list | tuple) else ()
    sets = [item for item in listed if isinstance(item, tuple | list) and len(item) == 2]
    for name, (matrix, _) in zip(numbered(str(name) for _, name in sets), sets[:MAX_SETS], strict=False):
        if matrix is not train:
            session.record(lambda session, name=name, matrix=matrix: _record_matrix(session, name, matrix))  # type: ignore[misc]


def _parts_of_fit(fit: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the arguments of an estimator's fit that hold data, under the names that scikit-learn's have."""
    yield from ((name, fit.get(name)) for name in FIT)
    sets = fit.get("eval_set")
    for place, item in enumerate(sets[:MAX_SETS] if isinstance(sets, list | tuple) else ()):
        for ending, part in zip(("", ".y"), item, strict=False):
            yield f"eval_set.{place}{ending}", part
        for ending, name in EVAL.items():
            parts = fit.get(name)
            if isinstance(parts, list | tuple) and len(parts) > place:
                yield f"eval_set.{place}.{ending}", parts[place]


def _record(session: FitSession, name: str, part: Any) -> None:
    if part is not None:
        session.data(name, guest.describe(part) or part)


def _record_matrix(session: FitSession, name: str, matrix: Any) -> None:
    if not isinstance(matrix, xgboost.DMatrix):
        return
    rows, columns = matrix.num_row(), matrix.num_col()
    facts = {"matrix": kind_of(matrix), "columns": matrix.feature_names, "types": matrix.feature_types}
    facts = {key: value for key, value in facts.items() if value is not None}
    if isinstance(matrix, xgboost.QuantileDMatrix):
        facts["content"] = "quantised"
    found, some = _content(matrix, rows)
    if found is None:
        session.data(name, shape=(rows, columns), **facts)
    elif some < rows:
        session.data(name, shape=(rows, columns), **facts, sampled_rows=some, sample=guest.describe(found).fingerprint)  # type: ignore[union-attr]
    else:
        session.data(name, found, **facts)
    parts = {"y": matrix.get_label(), "weight": matrix.get_weight()}
    parts |= {kind: matrix.get_float_info(kind) for kind in ("label_lower_bound", "label_upper_bound", "base_margin")}
    parts["group"] = np.diff(matrix.get_uint_info("group_ptr"))  # how many rows each group of a ranking has
    for ending, part in parts.items():
        if np.size(part):
            session.data(f"{name}_{ending}", part)


def _content(matrix: Any, rows: int) -> tuple[Any, int]:
    """Return what a matrix holds, or blocks of its rows, and how many rows that are; None where it is on a disk."""
    with suppress(xgboost.core.XGBoostError):  # of an iterator's pages, which xgboost itself refuses to collect
        entries = matrix.num_nonmissing()
        if entries > MAX_ENTRIES:
            length = max(1, rows * MAX_ENTRIES // entries // BLOCKS)
            starts = np.linspace(0, rows - length, BLOCKS, dtype=np.int64)
            matrix = matrix.slice(np.unique(starts[:, None] + np.arange(length)), allow_groups=True)
        found = matrix.get_data()
        if found.nnz == found.shape[0] * found.shape[1]:  # dense: the values in order, as an array of floats has them
            return found.data.reshape(found.shape), found.shape[0]
        return found, found.shape[0]
    return None, 0
