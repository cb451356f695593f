"""Decide which of a run's points count: a later file cuts or replaces those of earlier ones."""

import math
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runlore.errors import RunloreWarning
from runlore.log import columns as log_columns
from runlore.log.points import Tally, open_block
from runlore.log.reader import Content

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def merge_tallies(contents: list[Content]) -> dict[str, Tally]:
    """The tallies of a run's series; where points may supersede others, the series is read to know."""
    merged: dict[str, Tally] = {}
    doubtful: set[str] = set()
    cut = any(content.opening.get("cut") is not None for content in contents)
    for content in contents:
        for key, tally in content.tallies.items():
            if key in merged or cut or not tally.exact:
                doubtful.add(key)
            merged[key] = tally
    if doubtful:
        merged |= exact_tallies(contents, doubtful)
    return {key: tally for key, tally in merged.items() if tally.count}


def exact_tallies(contents: list[Content], keys: set[str]) -> dict[str, Tally]:
    """The tallies of series after superseding: the last writer, and in it the last row, wins per step."""
    points: dict[str, dict[int, tuple[float, int]]] = {key: {} for key in keys}
    splits: dict[str, str | None] = {}
    for content in contents:
        rows: dict[str, list[tuple[int, int, float, int]]] = {key: [] for key in keys}
        for block in content.blocks(keys):
            for key, column in zip(block.keys, block.values, strict=True):
                if key in keys:
                    splits[key] = block.split
                    rows[key] += zip(block.position, block.step, column, block.time, strict=True)
        for key in keys:
            cut = content.cut_of(key)
            if cut is not None:
                points[key] = {step: point for step, point in points[key].items() if step <= cut}
            rows[key].sort(key=lambda row: row[0])
            points[key].update({step: (value, time) for _, step, value, time in rows[key]})
    return {key: _tally_of(points[key], splits.get(key)) for key in keys}


def _tally_of(points: dict[int, tuple[float, int]], split: str | None) -> Tally:
    if not points:
        return Tally(split)
    last_step = max(points)
    numbers = [value for value, _ in points.values() if not math.isnan(value)]
    times = [time for _, time in points.values()]
    low, high = min(numbers, default=None), max(numbers, default=None)
    return Tally(split, len(points), points[last_step][0], last_step, low, high, True, min(times), max(times))


def read_series(
    contents: list[Content], key: str
) -> "tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64], NDArray[np.float64]]":
    """Steps, values, times and epochs of a key over all writers of a run, superseded points left out."""
    import numpy as np

    steps: NDArray[np.int64] = np.empty(0, np.int64)
    times: NDArray[np.int64] = np.empty(0, np.int64)
    numbers: NDArray[np.float64] = np.empty((2, 0))  # values and epochs
    for content in contents:
        cut = content.cut_of(key)
        if cut is not None:
            kept = steps <= cut
            steps, times, numbers = steps[kept], times[kept], numbers[:, kept]
        found = _content_series(content, key)
        if found is not None:
            steps = np.concatenate([steps, found[0]])
            times = np.concatenate([times, found[1]])
            numbers = np.concatenate([numbers, found[2]], axis=1)
    if len(steps) > 1 and not (steps[1:] > steps[:-1]).all():
        _, latest = np.unique(steps[::-1], return_index=True)  # of equal steps, the one that was logged last
        chosen = len(steps) - 1 - latest
        steps, times, numbers = steps[chosen], times[chosen], numbers[:, chosen]
    return steps, numbers[0], times, numbers[1]


def _content_series(content: Content, key: str) -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None":
    """Steps, times, and values with epochs, of one writer in the order they were logged."""
    import numpy as np

    blocks = list(_sealed_columns(content, key)) if content.sealed else list(_log_columns(content, key))
    if not blocks:
        return None
    position, steps, times, values, epochs = (np.concatenate(columns) for columns in zip(*blocks, strict=True))
    if not (position[1:] > position[:-1]).all():
        order = np.argsort(position, kind="stable")
        steps, times, values, epochs = steps[order], times[order], values[order], epochs[order]
    return steps, times, np.stack([values, epochs])


def _sealed_columns(content: Content, key: str) -> "Iterator[tuple[NDArray[Any], ...]]":
    for payload in content.payloads({key}):
        head, columns = open_block(payload)
        position, times, steps, epochs = (log_columns.unpack_numpy(*column, head["rows"]) for column in columns[:4])
        for name, column in zip(head["keys"], columns[4:], strict=True):
            if name == key:
                yield position, steps, times, log_columns.unpack_numpy(*column, head["rows"]), epochs
    if content.lost_columns:
        warnings.warn(
            f"{content.path.name}: {content.lost_columns} damaged blocks of points were left out of {key!r}",
            RunloreWarning,
            stacklevel=2,
        )


def _log_columns(content: Content, key: str) -> "Iterator[tuple[NDArray[Any], ...]]":
    import numpy as np

    for block in content.blocks({key}):
        for name, column in zip(block.keys, block.values, strict=True):
            if name == key:
                yield (
                    np.array(block.position),
                    np.array(block.step),
                    np.array(block.time),
                    np.array(column),
                    np.array(block.epoch),
                )
