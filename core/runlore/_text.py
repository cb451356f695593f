"""Numbers, times and foreign text, written for people."""

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime  # a script's start needs none

_MAX_REPR = 80  # characters of a foreign object in a message

MAX_MEANT = 100  # characters of a name that others are compared with, which takes the square of the time
BLANK_LETTERS = frozenset("\u115f\u1160\u3164\uffa0")  # letters of Hangul, of which nothing is seen

_FORMULA_STARTS = "=+-@\t\r\n＝＋－＠"  # of cells in spreadsheets; the wide ones count in those of East Asia


def number_text(value: float | None) -> str:
    """Write a number with five significant digits, a whole one below 10⁹ with all of them."""
    if value is None:
        return "–"
    if -1e9 < value < 1e9 and value == int(value):
        return str(int(value))
    try:
        return f"{value:.5g}"
    except OverflowError:  # a whole number that no float holds
        from decimal import Decimal

        return f"{Decimal(value):.5g}"


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


def status_text(status: str, ended: "datetime | None") -> str:
    """Write a status; of a run that is only not heard of since when, which is its end as far as it is known."""
    if status != "silent" or ended is None:
        return status
    from datetime import UTC, datetime

    is_recent = abs((datetime.now(UTC) - ended).total_seconds()) < 86400
    return f"not heard of since {ended:%H:%M UTC}" if is_recent else f"not heard of since {ended:%Y-%m-%d}"


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


def is_hidden(char: str) -> bool:
    """Return True for a character that acts on a terminal or on the text around it, instead of being shown.

    Those are control characters (ESC, the C1 ones), marks of direction and other invisible marks, letters that are
    blank, surrogates, and the separators of lines and paragraphs.
    """
    if char.isprintable():
        return char in BLANK_LETTERS
    import unicodedata

    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def hides_nothing(text: str) -> bool:
    """Return True for a text without hidden characters and line breaks."""
    return text.isprintable() and (text.isascii() or BLANK_LETTERS.isdisjoint(text))


def visible_text(text: str) -> str:
    """Write foreign text with its hidden characters as escapes; only line breaks stay."""
    if hides_nothing(text):
        return text
    return "".join(char if char == "\n" or not is_hidden(char) else _escape(char) for char in text)


def one_line(text: str) -> str:
    """Write foreign text as `visible_text` does, its line breaks as escapes, too."""
    return visible_text(text).replace("\n", "\\n")


def line_text(text: str, width: int) -> str:
    """Write foreign text on one line of at most `width` columns of a terminal."""
    line = one_line(text)
    if line.isascii():
        return line if len(line) <= width else line[: max(0, width - 1)] + "…"
    used = 0
    cut = 0  # characters before "…"
    for place, char in enumerate(line):
        used += _columns_of(char)
        if used > width:
            return line[:cut] + "…"
        cut = place + 1 if used < width else cut
    return line


def cell_text(text: str) -> str:
    """Write a text for a cell of a CSV file: an apostrophe before what a spreadsheet would take for a formula.

    That is a text that begins with = + - @, a tab or a line break, and is no number. It is undone by taking one
    apostrophe off each text that has some before such a character, and no others are changed.
    """
    return f"'{text}" if _is_formula(text) else text


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: two for each character of Chinese, Japanese or Korean."""
    return len(text) if text.isascii() else sum(map(_columns_of, text))


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

    if len(name) > MAX_MEANT:
        return None
    return next(iter(get_close_matches(name, list(known), 1, cutoff)), None)


def _is_formula(text: str) -> bool:
    first = text.lstrip("'")[:1]
    if first not in _FORMULA_STARTS or not first:
        return False
    try:
        float(text)
    except ValueError:
        return True
    return "_" in text  # Python's alone: no spreadsheet reads 1_000 as a number


def _columns_of(char: str) -> int:
    import unicodedata

    if unicodedata.category(char) in ("Mn", "Me"):
        return 0  # it stands above the character before it
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}" if code < 65536 else f"\\U{code:08x}"


def as_text(value: Any) -> str:
    """Return the text of anything; never raises."""
    try:
        return str(value)
    except Exception:  # a foreign object's str
        return f"<{type(value).__name__}>"


def with_article(noun: str) -> str:
    """Return a noun behind "a", or "an" where it begins with a vowel."""
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def short_repr(value: Any) -> str:
    """Return the repr of a foreign object, at most 80 characters of it; never raises."""
    try:
        text = repr(value)
    except Exception as error:  # a foreign object's repr
        text = f"{with_article(type(value).__name__)} whose repr raises {type(error).__name__}"
    return text if len(text) <= _MAX_REPR else text[: _MAX_REPR - 3] + "..."
