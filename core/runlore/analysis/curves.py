"""Curves for display: thinned without losing peaks, or several combined into a mean with a band."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runlore.analysis.statistics import errors_within
from runlore.store.runs import RecordedRun

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

AXES = ("step", "epoch", "time", "relative")
METRIC = "metric:"  # before the key of a metric that lies along x
_CLOCKS = ("time", "relative")
_TOGETHER = 64  # values that are smoothed in one step


@dataclass(frozen=True, slots=True)
class Curve:
    """A metric of a run, thinned: ascending `x`, and `y`, which may be NaN. `points` counts the points before thinning.

    Of a part of a long series that still grows, a few points more or less may be counted. x is in steps, epochs,
    seconds since 1970, or seconds since the run began.
    """

    x: "Numbers"
    y: "Numbers"
    points: int

    @property
    def whole(self) -> bool:
        """True if no point was left out."""
        return len(self.x) == self.points


@dataclass(frozen=True, slots=True)
class Band:
    """Mean, median and spread of several curves at each `x`, where `count` of them have a value.

    `interval` is half of the 95 % interval of the mean by Student's t; like the sample deviation it is 0 for one value.
    """

    x: "Numbers"
    count: "NDArray[np.int64]"
    mean: "Numbers"
    deviation: "Numbers"
    interval: "Numbers"
    median: "Numbers"
    low: "Numbers"
    high: "Numbers"


def curve_of(
    run: RecordedRun, key: str, axis: str = "step", *, begin: float | None = None, end: float | None = None,
    most: int = 1000, smooth: float = 0.0,
) -> Curve:  # fmt: skip
    """Return a metric of a run between `begin` and `end` on the axis, thinned to about `most` points.

    The axis is one of `AXES`, or `metric:` with the key of another metric: x is then the value that it had at the same
    step, or at the last one before; points before its first value are left out. The curve includes the nearest point
    beyond either end, so that the line reaches the edges of the picture. `smooth`, from 0 to below 1, is the weight of
    `smoothed`, which takes all points of the series from its first on.

    Raises:
        MetricNotFound: the run has no such metric.
        ValueError: there is no such axis.
    """
    import numpy as np

    check_axis(axis)
    scale, zero = (1e6, run.started.timestamp() if axis == "relative" else 0.0) if axis in _CLOCKS else (1.0, 0.0)
    first, last = (None if place is None else (place + zero) * scale for place in (begin, end))
    along = "time" if axis in _CLOCKS else axis
    series = run.metrics[key]
    other = axis.removeprefix(METRIC) if axis.startswith(METRIC) else None
    found = series.whole() if smooth or other is not None else series.stretch(along, first, last, most)
    x = getattr(found, along) / scale - zero if other is None else _values_at(run, other, found.step)
    y, numbers = found.value, found.number
    if smooth:
        y = smoothed(y, smooth)
    kept = ~np.isnan(x)
    if not kept.all():
        x, y, numbers = x[kept], y[kept], numbers[kept]
    if len(x) > 1 and not (x[1:] >= x[:-1]).all():  # the clock was set back, or a resumed run repeated epochs
        order = np.argsort(x, kind="stable")
        x, y, numbers = x[order], y[order], np.sort(numbers)
    low = 0 if begin is None else max(0, int(np.searchsorted(x, begin, "left")) - 1)
    high = len(x) if end is None else min(len(x), int(np.searchsorted(x, end, "right")) + 1)
    x, y, numbers = x[low:high], y[low:high], numbers[low:high]
    chosen = thin(y, most)
    return Curve(x[chosen], y[chosen], len(x) if found.whole or not len(x) else int(numbers[-1] - numbers[0]) + 1)


def check_axis(axis: str) -> None:
    """Refuse what can't lie along x.

    Raises:
        ValueError: it is neither one of `AXES` nor `metric:` with a key.
    """
    if axis not in AXES and axis.removeprefix(METRIC) in (axis, ""):
        raise ValueError(f"x is {axis!r}: it is one of {', '.join(AXES)}, or {METRIC} and the key of a metric")


def _values_at(run: RecordedRun, key: str, steps: "NDArray[Any]") -> "Numbers":
    """Return what a metric was at some steps: its value there, or the last one before; NaN where it had none yet."""
    import numpy as np

    if key not in run.metrics:
        return np.full(len(steps), np.nan)
    other = run.metrics[key].whole()
    places = np.searchsorted(other.step, steps, "right") - 1
    values: Numbers = np.where(places < 0, np.nan, other.value[np.maximum(places, 0)])
    return np.where(np.isfinite(values), values, np.nan)


def thin(values: "Numbers", most: int) -> "NDArray[np.int64]":
    """Return the indices of about `most` values that draw the same curve: the lowest and highest of each stretch.

    The first and last value are always included, and the first NaN of each stretch.
    """
    import numpy as np

    count = len(values)
    if count <= max(most, 4):
        return np.arange(count)
    width = -(-count // max(1, most // 2))  # two values of each stretch
    stretches = -(-count // width)
    padded = np.full(stretches * width, np.nan)
    padded[:count] = values
    table = padded.reshape(stretches, width)
    missing = np.isnan(table)
    missing[-1, count - (stretches - 1) * width :] = False  # padding is not a missing value
    starts = np.arange(stretches) * width
    lowest = starts + np.where(np.isnan(table), np.inf, table).argmin(axis=1)
    highest = starts + np.where(np.isnan(table), -np.inf, table).argmax(axis=1)
    gaps = (starts + missing.argmax(axis=1))[missing.any(axis=1)]
    return np.unique(np.concatenate([[0, count - 1], lowest, highest, gaps]))


def smoothed(values: "Numbers", weight: float) -> "Numbers":
    """Return the exponential moving average of values, corrected for its start; NaN stays and counts nothing.

    Each value counts `weight` times as much as the one behind it: the debiased average of Kingma and Ba, Adam, 2015.
    Infinite values are taken as gaps, too, as no later average would ever be finite again.
    """
    import numpy as np

    result = values.astype(np.float64, copy=True)
    finite = np.isfinite(values)
    given = result[finite]
    count = len(given)
    if not count or not weight:
        return result
    powers = weight ** np.arange(_TOGETHER)
    places = np.subtract.outer(np.arange(_TOGETHER), np.arange(_TOGETHER))
    shares = np.where(places >= 0, weight ** np.maximum(places, 0), 0.0)
    table = np.zeros(-(-count // _TOGETHER) * _TOGETHER)
    table[:count] = given
    with np.errstate(over="ignore", invalid="ignore"):
        sums = table.reshape(-1, _TOGETHER) @ shares.T
        before = 0.0  # the sum at the end of the row above
        for row in sums:
            row += before * weight * powers
            before = row[-1]
    weights = -np.expm1(np.arange(1, count + 1) * np.log(weight)) / (1 - weight)
    result[finite] = sums.reshape(-1)[:count] / weights
    return result


def band_of(curves: Sequence[Curve], most: int = 400) -> Band:
    """Return mean, median and spread of curves at no more than `most` values of x.

    All x of the curves are used if they are few enough, else `most` evenly spaced ones. Curves are interpolated
    linearly and count only between their own first and last x. NaN and infinite values are left out.

    Raises:
        MissingDependency: SciPy is not installed.
    """
    import numpy as np

    finite = [(curve.x[good], curve.y[good]) for curve in curves for good in [np.isfinite(curve.y)] if good.any()]
    if not finite:
        empty: Any = np.empty(0)
        return Band(empty, np.empty(0, np.int64), *[empty] * 6)
    places = np.unique(np.concatenate([x for x, _ in finite]))
    if len(places) > most:
        places = np.linspace(places[0], places[-1], most)
    table = np.stack([np.interp(places, x, y, left=np.nan, right=np.nan) for x, y in finite])
    known = ~np.isnan(table)
    count = known.sum(axis=0)
    places, table, known, count = places[count > 0], table[:, count > 0], known[:, count > 0], count[count > 0]
    mean = np.where(known, table, 0).sum(axis=0) / count
    squares = np.where(known, table - mean, 0) ** 2
    deviation = np.sqrt(squares.sum(axis=0) / np.maximum(count - 1, 1))
    interval = np.where(count > 1, errors_within(np.maximum(count, 2)) * deviation / np.sqrt(count), 0.0)
    lowest, median, highest = np.nanmin(table, axis=0), np.nanmedian(table, axis=0), np.nanmax(table, axis=0)
    return Band(places, count, mean, deviation, interval, median, lowest, highest)
