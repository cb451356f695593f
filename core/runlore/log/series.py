"""The series of a metric as arrays, read from the run's files at first need."""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from runlore.errors import MetricNotFound
from runlore.log.points import Tally
from runlore.log.reader import Content
from runlore.log.superseding import counted_keys, read_series, warn_of_losses

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runlore.log.long.growth import Place
    from runlore.log.long.outline import Stretch
    from runlore.log.superseding import Arrays

Default = TypeVar("Default")

READ_AHEAD = 3  # points of other keys that may be read along, for each one that was asked for …
READ_FREELY = 50_000  # … or so many, which cost a moment and little memory


class Curves:
    """The points of a run's keys, read from its files at first need.

    A block of a file holds the points of all keys that were logged together: to read it for each of them alone would
    cost the square of their number. So with a key come others that nobody has asked for yet, but never many more points
    than were asked for so far.
    """

    def __init__(self, tallies: Mapping[str, Tally], contents: Callable[[], list[Content]]) -> None:
        self._tallies = tallies
        self._contents = contents
        self._asked = 0  # points
        self._read: dict[str, Arrays] = {}
        self._told: set[str] = set()  # keys whose damaged blocks were told of

    @cached_property
    def _counts(self) -> dict[str, int]:
        return {key: self._tallies[key].count for key in sorted(self._tallies)}

    def arrays(self, key: str) -> "Arrays":
        """Return steps, values, times and epochs of a key; damaged blocks are left out, which a warning tells."""
        found = self._read.get(key)
        if found is None:
            self._read |= read_series(self._contents(), [key, *self._beside(key)])
            found = self._read[key]
        if key not in self._told:
            self._told.add(key)
            self._asked += self._counts[key]
            warn_of_losses(self._contents(), key)
        return found

    def stretch(self, key: str, place: "Place", most: int) -> "Stretch | None":
        """Return points that draw a key's series at a place; None where all of them have to be read."""
        contents = self._contents()
        holders = [place for place, content in enumerate(contents) if key in content.tallies]
        if key in self._read or not holders:
            return None
        earlier, newest, later = contents[: holders[-1]], contents[holders[-1]], contents[holders[-1] + 1 :]
        if key in counted_keys(newest) or any(other.opening.get("cut") is not None for other in later):
            return None
        try:
            if newest.sealed:
                from runlore.log.long.blocks import sealed_stretch

                return sealed_stretch(key, newest, place, most) if len(holders) == 1 else None
            from runlore.log.long.resumed import resumed_stretch

            return resumed_stretch(key, earlier, newest, place, most)
        except FileNotFoundError:  # it was sealed meanwhile
            return None

    def _beside(self, key: str) -> Iterator[str]:
        """Yield the keys to read along with one: none with the first."""
        room = max(READ_AHEAD * self._asked, READ_FREELY) if self._read else 0
        for other, count in self._counts.items():
            if count <= room and other != key and other not in self._read:
                room -= count
                yield other


class Series:
    """One metric of one run.

    `steps` (int64), `values` (float64), `times` (int64, µs since 1970) and `epochs` (float64, NaN where none was given)
    are one-dimensional arrays of equal length in the order of steps, each step once. They are read at first need,
    or with another metric of the run, and are a snapshot of that moment. `last`, `min`, `max` and `count` are known
    without reading.
    """

    def __init__(self, key: str, tally: Tally, curves: Curves) -> None:
        self.key = key
        self.split = tally.split
        self.last = tally.last
        self.last_step = tally.last_step
        self.min = tally.min
        self.max = tally.max
        self.count = tally.count
        self._curves = curves

    @property
    def steps(self) -> "NDArray[np.int64]":
        """The steps, rising."""
        return self._arrays[0]

    @property
    def values(self) -> "NDArray[np.float64]":
        """The value at each step."""
        return self._arrays[1]

    @property
    def times(self) -> "NDArray[np.int64]":
        """The time at which each value was logged, in µs since 1970."""
        return self._arrays[2]

    @property
    def epochs(self) -> "NDArray[np.float64]":
        """The epoch of each value; NaN where none was given."""
        return self._arrays[3]

    def stretch(self, along: str, begin: float | None, end: float | None, most: int) -> "Stretch":
        """Return points that draw the series from `begin` to `end` of an axis: "step", "time" (µs) or "epoch".

        Some beyond both ends may be among them, or all. Of a long series they may be an outline, which costs what has
        come since it was asked for before; a part of it that is asked for costs that part.
        """
        return self._curves.stretch(self.key, (along, begin, end), most) or self.whole()

    def whole(self) -> "Stretch":
        """Return all points of the series."""
        from runlore.log.long.outline import Stretch

        return Stretch.of(*self._arrays)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"<Series {self.key!r}: {self.count} points, last {self.last:g} at step {self.last_step}>"

    @property
    def _arrays(self) -> "Arrays":
        return self._curves.arrays(self.key)


class Metrics(Mapping[str, Series]):
    """The metrics of a run by key, in alphabetical order."""

    def __init__(self, tallies: Mapping[str, Tally], contents: Callable[[], list[Content]]) -> None:
        curves = Curves(tallies, contents)
        self._series = {key: Series(key, tallies[key], curves) for key in sorted(tallies)}

    def __getitem__(self, key: str) -> Series:
        found = self._series.get(key)
        if found is None:
            close = get_close_matches(str(key), self._series, 1)
            raise MetricNotFound(
                f"no metric {key!r}"
                + (f": did you mean {close[0]!r}?" if close else f"; there are: {', '.join(self._series) or 'none'}")
            )
        return found

    @overload
    def get(self, key: str, /) -> Series | None: ...
    @overload
    def get(self, key: str, /, default: Series | Default) -> Series | Default: ...
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return a metric, or the default; unlike `[]` it looks for no similar key, which takes long."""
        return self._series.get(key, default)

    def __contains__(self, key: object) -> bool:
        return key in self._series

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def __repr__(self) -> str:
        from runlore._text import one_line

        return f"<Metrics {one_line(', '.join(self._series)) or 'none'}>"
