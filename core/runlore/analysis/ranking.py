"""Rank params and metrics by how likely people look for them."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from runlore.hookspecs import SYSTEM_PREFIX

PLACE_ENDINGS = ("_dir", "dirpath", "filepath", "path")  # of params that name a place for files: no two runs share it
ASIDE_ENDINGS = ("_time", "_seconds", "_runtime", "_per_second", "learning_rate", "grad_norm")  # of metrics
EXTENTS = frozenset(["rows", "n_rows", "num_rows", "samples", "n_samples", "num_samples"])  # last parts of metrics
ASIDE_TAGS = frozenset(["integration", "job", "description"])  # that tell runs apart only to who looks for them
TELLING = frozenset(
    "learning_rate lr epochs max_epochs num_train_epochs max_steps batch_size per_device_train_batch_size weight_decay "
    "momentum dropout warmup_steps seed random_state C alpha gamma max_depth n_estimators".split()
)


def is_telling(key: str) -> bool:
    """Return True for a param that people usually vary; it is shown before the others that a framework logs."""
    return not TELLING.isdisjoint({key, key.rpartition(".")[2]}) or key in ("optimizer.name", "model.class")


def by_use(params: Mapping[str, Any], captured: Collection[str] = ()) -> dict[str, Any]:
    """Sort params: those that somebody passed before the `captured` ones.

    Of either first those that people usually vary, then those with the fewest dots in their name.
    """

    def rank(key: str) -> tuple[bool, bool, int, str]:
        return key in captured, not is_telling(key), key.count("."), key

    return {key: params[key] for key in sorted(params, key=rank)}


def is_place(key: str) -> bool:
    """Return True for a param that names a place for files; it is shown after all others."""
    return key.endswith(PLACE_ENDINGS)


def is_extent(key: str) -> bool:
    """Return True for a metric that only says how much data there was; no table shows it unless it is asked for."""
    return re.split(r"[/.]", key)[-1] in EXTENTS


def is_aside(key: str) -> bool:
    """Return True for a metric of the training's progress, not of its quality, such as a duration; it is shown last."""
    return key.endswith(ASIDE_ENDINGS) or key.startswith(SYSTEM_PREFIX) or is_extent(key)
