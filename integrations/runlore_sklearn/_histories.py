"""The epochs that a fitted estimator tells in its `history_`, as those of skorch do: a list of one row an epoch."""

from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession

PLACES = ("epoch", "dur")  # of a row: they tell when, not how good
MAX_ROWS = 100_000


def epochs_of(estimator: Any) -> int:
    """Return how many rows an estimator has."""
    return len(_rows(estimator))


def record_epochs(session: FitSession, estimator: Any, known: int) -> None:
    """Record the numbers of each row under their names; the first `known` rows are of an earlier fit."""
    for place, row in list(enumerate(_rows(estimator)[:MAX_ROWS], 1))[known:]:
        numbers = dict(_numbers(row)) if isinstance(row, Mapping) else {}
        if numbers:
            session.metrics(numbers, step=place, epoch=row.get("epoch"))


def _rows(estimator: Any) -> list[Any]:
    rows = getattr(estimator, "history_", None)
    return rows if isinstance(rows, list) else []  # Keras's own are dicts, whose numbers its integration records


def _numbers(row: Mapping[Any, Any]) -> Iterator[tuple[str, float]]:
    for name, value in row.items():
        is_place = name in PLACES or str(name).endswith("_batch_count")
        if isinstance(value, int | float) and not isinstance(value, bool) and not is_place:
            yield str(name), value
