"""The numbers that a Trainer logs: by split, and those of a whole training."""

from collections.abc import Mapping
from typing import Any

WHOLE = {"train_runtime", "train_loss", "total_flos"}  # logged together only at the end of a training
SPLITS = ("eval", "test", "val", "valid", "validation", "dev")  # as prefixes of metrics' names
AXES = ("epoch", "step")
COMMON = (*AXES, "num_input_tokens_seen")  # in all logs, with no prefix
RUNTIME = "_runtime"
SPEEDS = (RUNTIME, "_per_second", "_preparation_time")  # ends of names: they differ each time


def qualified(logs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return logs in which all numbers of an evaluation begin with its prefix.

    Some Trainers log numbers under the same names in training and in evaluations. Those of an evaluation are known by
    its duration.
    """
    timed = (str(name).removesuffix(RUNTIME) for name in logs if str(name).endswith(RUNTIME))
    prefix = next((item for item in timed if item != "train"), None)
    if prefix is None:
        return logs
    known = tuple(f"{item}_" for item in (prefix, "train", *SPLITS))
    return {
        name if name in COMMON or str(name).startswith(known) else f"{prefix}_{name}": value
        for name, value in logs.items()
    }


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


def without_speeds(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return numbers without those that tell how long an evaluation took."""
    return {name: value for name, value in metrics.items() if not str(name).endswith(SPEEDS)}


def summary_in(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a whole training; none where the logs are of some steps only."""
    if not logs.keys() >= WHOLE:
        return {}
    return {name: value for name, value in logs.items() if name in WHOLE or str(name).startswith("train_")}
