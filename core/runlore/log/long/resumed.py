"""Series of runs that were resumed: what stands before the newest segment stays, so that it is read once."""

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from runlore._process import Part, process
from runlore.log.long.growth import AXES, Place, known_stretch
from runlore.log.long.outline import Outline, Stretch
from runlore.log.reader import Content
from runlore.log.superseding import read_series

if TYPE_CHECKING:
    from runlore.log.superseding import Arrays

MAX_KNOWN = 256  # series


class Befores(Part):
    """The outlines of series up to the newest segment of their run, the last one that was asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, Outline] = OrderedDict()

    def forget(self) -> None:
        """Know nothing any more."""
        self._lock = threading.Lock()
        self._known = OrderedDict()

    def of(self, key: str, cut: int | None, earlier: list[Content]) -> Outline:
        """Return the outline of a key's series in some files, up to a step."""
        states = [(str(item.path), item.path.stat().st_size) for item in earlier]
        place = (key, cut, *states)
        with self._lock:
            found = self._known.pop(place, None)
            if found is None:
                found = Outline()
                steps, values, times, epochs = _before(key, cut, earlier)
                found.add(steps, times, epochs, values)
            self._known[place] = found
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
            return found


def resumed_stretch(key: str, earlier: list[Content], newest: Content, place: Place, most: int) -> Stretch | None:
    """Return points that draw a key's series at a place, of a run whose newest segment may grow.

    None where points of that may stand for earlier ones, or all of them have to be read.

    Raises:
        FileNotFoundError: a file was sealed or removed meanwhile.
    """
    axis, begin, end = place
    if not any(key in item.tallies for item in earlier):
        return known_stretch(newest.path, key, place, most)
    opening = newest.opening
    cut = None if key in (opening.get("spared") or ()) else opening.get("cut")
    outline = process.part(Befores).of(key, cut, earlier)
    before = outline.stretch()
    behind = known_stretch(newest.path, key, place, most, above=before.step.max(initial=-1))
    if behind is None:
        return None
    if outline.width > 1 and 0 < outline.count_within(AXES.index(axis), begin, end) < most:
        before = Stretch.of(*_before(key, cut, earlier))
    return before.followed_by(behind, outline.count)


def _before(key: str, cut: int | None, earlier: list[Content]) -> "Arrays":
    """Return the points of a key in some files that count, up to a step."""
    steps, values, times, epochs = read_series(earlier, [key])[key]
    if cut is not None:
        kept = steps <= cut
        steps, values, times, epochs = steps[kept], values[kept], times[kept], epochs[kept]
    return steps, values, times, epochs
