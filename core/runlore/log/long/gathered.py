"""Points of one file as they are gathered, in little more room than the whole of them takes."""

from array import array
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runlore.log.points import Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEW_BLOCKS = 32  # which are kept as they are: keys that were logged together share the most of them
_COLUMNS = {"time": "q", "step": "q", "epoch": "d", "value": "d"}


class Gathered:
    """Points of one key. Columns of many blocks grow where they are: of large ones the system moves the pages."""

    def __init__(self) -> None:
        self._blocks: list[Points] = []  # that are in no column yet
        self._columns = {name: array(kind) for name, kind in _COLUMNS.items()}
        self._positions: list[NDArray[np.int64]] = []  # of the rows in the columns, by block

    def add(self, points: Points) -> None:
        """Add a block."""
        self._blocks.append(points)
        if len(self._blocks) > FEW_BLOCKS:
            self._grow()

    def in_order(self) -> "list[NDArray[Any]]":
        """Return times, steps, epochs and values in the order of rows; nothing can be added any more."""
        if self._positions:
            self._grow()
            found = [np.frombuffer(column, column.typecode) for column in self._columns.values()]
        else:
            self._positions = [np.asarray(block.position) for block in self._blocks]
            found = [np.concatenate([getattr(block, name) for block in self._blocks]) for name in _COLUMNS]
        if not _are_rising(self._positions):
            order = np.argsort(np.concatenate(self._positions), kind="stable")
            found = [column[order] for column in found]
        return found

    def _grow(self) -> None:
        self._positions += [np.asarray(block.position) for block in self._blocks]
        for name, column in self._columns.items():
            for block in self._blocks:
                column.frombytes(np.ascontiguousarray(getattr(block, name), column.typecode).data.cast("B"))
        self._blocks.clear()


def _are_rising(parts: "list[NDArray[np.int64]]") -> bool:
    """Return True if each number is above the one before it, within arrays and from one to the next."""
    within = all((part[1:] > part[:-1]).all() for part in parts)
    return within and all(before[-1] < after[0] for before, after in pairwise(parts))
