"""Regular expressions of queries, within bounds: a pattern that somebody sent, on texts that somebody recorded.

Python's engine can need years for one text, can't be interrupted, and keeps all other threads waiting. A text on which
a pattern provably ends soon is matched at once; all others together in a process of their own, which is ended when it
takes too long.
"""

import json
import re
import select
import struct
import sys
import time
from collections.abc import Iterable
from functools import lru_cache
from importlib import import_module
from typing import Any

from runlore.errors import QueryError
from runlore.index.mistakes import MAX_PATTERN

# Reads `[pattern, texts]` as JSON, writes a byte, and then "1" or "0" for each text as soon as it is known; ends by
# itself after 20 s of computing, should nobody end it.
WORKER = """
import json, os, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
pattern, texts = json.loads(sys.stdin.buffer.read())
search = re.compile(pattern).search
os.write(1, b"!")
for text in texts:
    os.write(1, b"1" if search(text) else b"0")
"""
MAX_STEPS = 10_000_000  # of the engine for a text that is matched in this process: some hundredths of a second
MAX_RANGES = 200_000  # characters in all ranges of a pattern, which are looked at one by one if case does not matter
TEXT_S = 1.0  # for a text in the other process
ALL_S = 5.0  # for all texts of a question
START_S = 30.0  # for the other process to begin
PIECE = 1 << 16

_COUNTED = (  # a number with decimals, of which 0.001 is less than 0.1; else a count, as each part of a version is
    r"(?<![0-9.])0*([0-9]{1,999})(\.[0-9]+)(?![.0-9])|0*([0-9]{1,999})()"
)
_REVERSED = str.maketrans("0123456789abcdef", "fedcba9876543210")
_NUMBER = r"\s*[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,9})?\s*"
_MAX_SORTED = 500  # characters of a text that it is sorted by

_sre: Any = import_module("re._parser")


def why_no_pattern(pattern: str) -> str | None:
    """Return why a text is no regular expression that can be matched; None for one that can."""
    if len(pattern) > MAX_PATTERN:
        return f"this pattern has {len(pattern):,} characters: at most {MAX_PATTERN:,} are taken"
    try:
        if _ranges(_sre.parse(pattern)) > MAX_RANGES:
            return f"its ranges have more than {MAX_RANGES:,} characters: write . for any character"
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError, MemoryError) as error:
        return f"{pattern!r} is no regular expression: {error}"
    return None


class Matcher:
    """Matches the texts of one connection's questions.

    A text that needs the other process is noted, and does not match at first: `settle` matches what was noted, and the
    question is asked again.
    """

    def __init__(self) -> None:
        self.failure: QueryError | None = None  # SQLite tells only that there was one
        self._known: dict[tuple[str, str], bool] = {}
        self._noted: dict[str, dict[str, None]] = {}  # texts by pattern
        self._spent = 0.0  # seconds

    def begin(self) -> None:
        """Forget the question before."""
        self.failure = None
        self._known.clear()
        self._noted.clear()
        self._spent = 0.0

    def match(self, pattern: str, text: Any) -> bool:
        """Return True if a pattern matches somewhere in a text, as far as that is known.

        Raises:
            QueryError: all texts together take too long.
        """
        if not isinstance(text, str):
            return False
        if most_steps(pattern, len(text)) > MAX_STEPS:
            known = self._known.get((pattern, text))
            if known is None:
                self._noted.setdefault(pattern, {})[text] = None
            return bool(known)
        began = time.perf_counter()
        found = re.search(pattern, text) is not None
        self._spent += time.perf_counter() - began
        if self._spent > ALL_S:
            self.failure = _too_slow(pattern)
            raise self.failure
        return found

    def settle(self) -> bool:
        """Match what was noted; False if nothing was.

        Raises:
            QueryError: it takes too long.
        """
        noted, self._noted = self._noted, {}
        for pattern, texts in noted.items():
            began = time.monotonic()
            found = _matched_apart(pattern, list(texts), ALL_S - self._spent)
            self._spent += time.monotonic() - began
            self._known |= {(pattern, text): value for text, value in zip(texts, found, strict=True)}
        return bool(noted)


def _matched_apart(pattern: str, texts: list[str], seconds: float) -> list[bool]:
    """Return for each text whether a pattern matches, found out by another process.

    Raises:
        QueryError: it took too long, or could not be started.
    """
    import subprocess  # few patterns need it

    command = [sys.executable, "-I", "-S", "-c", WORKER]
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except OSError as error:
        raise QueryError(f"no process could be started that matches {pattern!r}: {error}", pattern, 0) from error
    with process:
        try:
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps([pattern, texts]).encode())
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended; its answer is too short
            found = _piece(process.stdout, START_S)  # it has read everything
            deadline = time.monotonic() + seconds
            while len(found) <= len(texts):
                piece = _piece(process.stdout, min(TEXT_S, deadline - time.monotonic()))
                if not piece:
                    raise _too_slow(pattern, texts[max(0, len(found) - 1)])
                found += piece
            return [sign == ord("1") for sign in found[1:]]
        finally:
            process.kill()


def _piece(stream: Any, seconds: float) -> bytes:
    """Return what a process has written; nothing if it ended, or wrote nothing for some seconds."""
    ready, _, _ = select.select([stream], [], [], max(0.0, seconds))
    return bytes(stream.read1(PIECE)) if ready else b""


def _too_slow(pattern: str, text: str | None = None) -> QueryError:
    where = "all texts together" if text is None else f"a text of {len(text):,} characters"
    return QueryError(
        f"this regular expression takes too long for {where}: it may have no repeats within repeats, as in (a+)+",
        pattern,
        0,
    )


# How long a pattern may take


@lru_cache(256)
def most_steps(pattern: str, length: int) -> float:
    """Return a bound of the steps that Python's engine makes for a text of a length; infinity where there is none."""
    try:
        tree = _sre.parse(pattern)
        width = min(int(tree.getwidth()[1]), length)
        return (length + 1.0) * (width + 1.0) * _ways(tree, length)
    except (RecursionError, OverflowError):
        return float("inf")


def _ways(items: Iterable[Any], length: int) -> float:
    """Return in how many ways a sequence may match from one place of a text."""
    ways = 1.0
    for name, value in items:
        ways *= _ways_of(str(name), value, length)
    return ways


def _ways_of(name: str, value: Any, length: int) -> float:
    match name:
        case "LITERAL" | "NOT_LITERAL" | "ANY" | "IN" | "AT":
            return 1
        case "SUBPATTERN":
            return _ways(value[-1], length)
        case "ATOMIC_GROUP":
            return _ways(value, length)
        case "ASSERT" | "ASSERT_NOT":
            return _ways(value[1], length)
        case "BRANCH":
            return sum(_ways(branch, length) for branch in value[1])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            least, most, item = value
            return _ways_of_repeat(int(least), int(most), item, length)
        case _:  # references to groups, and what later versions of Python bring
            return float("inf")


def _ways_of_repeat(least: int, most: int, item: Any, length: int) -> float:
    low, high = item.getwidth()
    inner = _ways(item, length)
    counts = min(most, length // max(int(low), 1) + 1) - least + 1
    if counts < 1:
        return 1
    if inner == 1 and low == high:
        return counts
    most = min(most, length + 1)
    return float("inf") if most > 30 else counts * inner**most


def _ranges(items: Any) -> int:
    """Return how many characters are in the ranges of a pattern."""
    if isinstance(items, tuple) and len(items) == 2 and str(items[0]) == "RANGE":
        return int(items[1][1]) - int(items[1][0])
    if isinstance(items, str | int) or not hasattr(items, "__getitem__"):
        return 0
    return sum(map(_ranges, items))


def natural(text: str | None) -> str | None:
    """Return what a text sorts by as people count: numbers first, by their size, then run-2 before run-10."""
    if text is None:
        return None
    text = text[:_MAX_SORTED]
    if not re.fullmatch(_NUMBER, text):
        return "1" + re.sub(_COUNTED, _padded, text)
    number = float(text)
    bits = struct.pack(">d", abs(number)).hex()  # of positive ones they are in the order of the numbers
    return f"01{bits}" if number >= 0 else f"00{bits.translate(_REVERSED)}"


def _padded(found: "re.Match[str]") -> str:
    whole = found[1] or found[3]
    return f"{len(whole):03d}{whole}{found[2] or ''}"
