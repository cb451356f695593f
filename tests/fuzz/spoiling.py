"""Honest records with something in them replaced, taken out, doubled or broken."""

import copy
import random
from typing import Any

from tests.log.test_events import GOOD

HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1 << 31, 1 << 62, (1 << 63) - 1, 1 << 63, -(1 << 63), 10**30, 10**400, 0.5, 1e308,
    float("nan"), float("inf"), "", "x", "\ud800", "\0", "\x1b[31m", "x" * 100_000, "ab" * 32, "AB" * 32,
    "0" * 64 + "\n",
    "/dev/zero", "../../../etc/passwd", "NaN", "1k0y6jjmbgczh9zsa7c", [], [[]], {}, {"a": {}}, [1, "a", None],
    {"$float": "zzz"}, {"$float": "NaN"}, {"$float": None}, {"$type": "list", "text": "[1, [2"}, {"$type": ["x"]},
    {"$type": "list", "text": "[" * 2_000}, {"$type": "decimal.Decimal", "text": "1e999999999"}, {"sha256": "x"},
    {"values": {"a": "b"}, "sha256": "x"}, {"type": "E", "message": 5}, ["a", 1, "ab" * 32],
]  # fmt: skip
FIELDS = [
    "type", "time", "values", "name", "kind", "path", "size", "sha256", "files", "roles", "step", "status", "error",
    "lost", "ran", "parent", "mode", "cut", "spared", "argv", "boot",
    "pid", "sections", "keys", "left_out", "id",
    "completes", "monitor", "value", "present", "executable", "seeds", "experiment", "run", "what", "why", "file",
    "locks", "job", "media", "captions", "escaped_files",
]  # fmt: skip


def spoil(rng: random.Random, value: Any, times: int) -> Any:
    """Return a copy of a JSON value that was changed in up to so many places."""
    value = copy.deepcopy(value)
    for _ in range(times):
        found = _places(value)
        if not found:
            break
        container, key = rng.choice(found)
        choice = rng.random()
        if choice < 0.15 and isinstance(container, dict):
            del container[key]
        elif choice < 0.25:
            container[key] = _nested(rng, rng.choice([2, 30, 80, 900]))
        elif choice < 0.4 and isinstance(container, dict):
            container[rng.choice([*FIELDS, "\ud800", "", "x" * 70_000])] = copy.deepcopy(rng.choice(HOSTILE))
        else:
            container[key] = copy.deepcopy(rng.choice(HOSTILE))
    return value


def events(rng: random.Random) -> list[dict[str, Any]]:
    """Return some events, most of them changed."""
    chosen = rng.sample(GOOD[2:-2], rng.randint(1, 6))
    return [spoil(rng, event, rng.randint(0, 3)) for event in chosen]


def _places(value: Any, depth: int = 6) -> list[tuple[Any, Any]]:
    """Return the containers in a value that are not too deep, each with each of its keys or indexes."""
    if depth == 0 or not isinstance(value, dict | list):
        return []
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    return [(value, key) for key in keys] + [place for key in keys for place in _places(value[key], depth - 1)]


def _nested(rng: random.Random, depth: int) -> Any:
    value: Any = rng.choice(["x", 1, None])
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value
