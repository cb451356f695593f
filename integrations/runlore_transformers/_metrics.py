"""The numbers that a Trainer logs: by split, and those of a whole training."""

from collections.abc import Mapping
from typing import Any

WHOLE = {"train_runtime", "train_loss", "total_flos"}  # logged together only at the end of a training
SPLITS = ("eval", "test", "val", "valid", "validation", "dev")  # as prefixes of metrics' names
AXES = ("epoch", "step")


def by_split(logs: Mapping[str, Any], prefix: str | None = None) -> dict[str, dict[str, Any]]:
    """Return the numbers by split, by the prefix of their names; `prefix` is one more. Those without are of "train"."""
    found: dict[str, dict[str, Any]] = {}
    splits = SPLITS if prefix is None else (prefix, *SPLITS)
    for key, value in logs.items():
        name = str(key)
        if name not in AXES:
            split = next((split for split in splits if name.startswith(f"{split}_")), "train")
            found.setdefault(split, {})[name] = value
    return found


def summary_in(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a whole training; none where the logs are of some steps only."""
    if not logs.keys() >= WHOLE:
        return {}
    return {name: value for name, value in logs.items() if name in WHOLE or str(name).startswith("train_")}
