"""Tallies of runs that were resumed: what stands before the newest log is summed up once while that grows."""

import threading
from collections import OrderedDict
from collections.abc import Collection
from copy import copy
from typing import Any

from runlore._process import Part, process
from runlore.log.points import Tally
from runlore.log.reader import Content
from runlore.log.superseding import counted_keys, exact_tallies

MAX_KNOWN = 4096  # series


class Sums(Part):
    """The tallies of series up to the newest log of their run, the last one that was asked for last."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Any, Tally] = OrderedDict()

    def forget(self) -> None:
        """Know nothing any more."""
        self._lock = threading.Lock()
        self._known = OrderedDict()

    def of(self, keys: Collection[str], cut: int | None, earlier: list[Content]) -> dict[str, Tally]:
        """Return the tallies of keys in some files, up to a step."""
        states = tuple((str(item.path), item.path.stat().st_size) for item in earlier)
        with self._lock:
            found = {key: self._known[key, cut, states] for key in keys if (key, cut, states) in self._known}
            missing = set(keys) - found.keys()
            if missing:
                found |= exact_tallies(earlier, missing, cut)
            for key in keys:
                self._known[key, cut, states] = found[key]
                self._known.move_to_end((key, cut, states))
            while len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
            return found


def merge_tallies(contents: list[Content]) -> dict[str, Tally]:
    """Return the tallies of a run's series; a series in which points may supersede others is read for it.

    Raises:
        FileNotFoundError: a file was removed meanwhile.
    """
    merged: dict[str, Tally] = {}
    doubtful: set[str] = set()
    cut = any(content.opening.get("cut") is not None for content in contents)
    for content in contents:
        for key, tally in content.tallies.items():
            if key in merged or cut or not tally.exact:
                doubtful.add(key)
            merged[key] = tally
    if doubtful:
        merged |= _added_tallies(contents, doubtful)
    return {key: tally for key, tally in merged.items() if tally.count}


def _added_tallies(contents: list[Content], keys: set[str]) -> dict[str, Tally]:
    """Return the tallies of keys; where their points in the newest log come behind all that count before, as sums."""
    *earlier, newest = contents
    if newest.sealed:
        return exact_tallies(contents, keys)
    cut, spared = newest.opening.get("cut"), frozenset(newest.opening.get("spared") or ())
    found: dict[str, Tally] = {}
    here = {key: tally for key, tally in newest.tallies.items() if key in keys and _is_rising(tally)}
    told = keys - counted_keys(newest)
    before = {key for content in earlier for key in content.tallies}
    for at, chosen in ((cut, told - spared), (None, told & spared)):
        if not chosen:
            continue
        sums = process.part(Sums).of(chosen & before, at, earlier)
        for key in chosen:
            known = sums.get(key) or Tally()
            if key not in newest.tallies:
                found[key] = known
            elif key in here and (not known.count or here[key].first_step > known.last_step):  # type: ignore[operator]
                found[key] = _sum_of(known, here[key])
    rest = keys - found.keys()
    return found | exact_tallies(contents, rest) if rest else found


def _is_rising(tally: Tally) -> bool:
    return tally.exact and tally.count > 0 and tally.first_step is not None


def _sum_of(before: Tally, behind: Tally) -> Tally:
    """Return the tally of points and of others that come behind them."""
    if not before.count:
        return behind
    total = copy(behind)
    total.count += before.count
    total.first_step = before.first_step
    total.first_time = min(before.first_time, behind.first_time)
    total.last_time = max(before.last_time, behind.last_time)
    total.min = min((low for low in (before.min, behind.min) if low is not None), default=None)
    total.max = max((high for high in (before.max, behind.max) if high is not None), default=None)
    return total
