"""Numbers, times and foreign text, written for people."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime  # a script's start needs none


def number_text(value: float | None) -> str:
    """Write a number with five significant digits, a whole one below 10⁹ with all of them."""
    if value is None:
        return "–"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.5g}"


def count_text(count: int, what: str) -> str:
    """Write a count with its noun: "1 file", "2 files"."""
    return f"{count:,} {what}{'s' if count != 1 else ''}"


def duration_text(seconds: float | None) -> str:
    """Write a duration: "0.3 s", "2 min 5 s", "3 h 20 min", "4 d 2 h"."""
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    whole = round(seconds)
    for size, name, below, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            return f"{whole // size} {name} {rest} {small}" if rest else f"{whole // size} {name}"
    return f"{whole} s"


def ago_text(moment: "datetime", now: "datetime | None" = None) -> str:
    """Write how long ago a moment was, in one unit; beyond 30 days, its date."""
    from datetime import UTC, datetime

    seconds = ((now or datetime.now(UTC)) - moment).total_seconds()
    if seconds < 5:
        return "just now"
    for size, name in ((60, "s"), (3600, "min"), (86400, "h"), (30 * 86400, "d")):
        if seconds < size:
            unit = {"s": 1, "min": 60, "h": 3600, "d": 86400}[name]
            return f"{int(seconds / unit)} {name} ago"
    return moment.strftime("%Y-%m-%d")


def size_text(size: int | None) -> str:
    """Write a size in bytes with a decimal unit: "4.2 MB"."""
    if size is None:
        return "–"
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.2g} {unit}"
        value /= 1000
    return f"{value:.1f} TB"


def visible_text(text: str) -> str:
    """Write foreign text with control characters, and those that reverse the direction, as escapes."""
    import unicodedata

    return "".join(
        char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") else _escape(char) for char in text
    )


def line_text(text: str, width: int) -> str:
    """Write foreign text on one line of at most `width` characters."""
    line = visible_text(text).replace("\n", "\\n")
    return line if len(line) <= width else line[: max(0, width - 1)] + "…"


def spark_text(values: list[float], width: int = 24) -> str:
    """Draw the finite values as a curve of block characters, at most `width` of them."""
    finite = [value for value in values if math.isfinite(value)]
    if len(finite) < 2:
        return ""
    step = max(1.0, len(finite) / width)
    chosen = [finite[int(place * step)] for place in range(int(len(finite) / step))]
    low, high = min(chosen), max(chosen)
    span = (high - low) or 1.0
    return "".join("▁▂▃▄▅▆▇█"[min(7, int((value - low) / span * 8))] for value in chosen)


def as_time(time_us: int) -> "datetime":
    """Return µs since 1970 as a time in UTC; 1970 for those that no calendar holds."""
    from datetime import UTC, datetime, timedelta

    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_us)
    except OverflowError:
        return datetime(1970, 1, 1, tzinfo=UTC)


def closest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """Return the known name that was probably meant; None where none is alike (0 to 1) by at least `cutoff`."""
    from difflib import get_close_matches  # only those who made a mistake wait for it

    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
