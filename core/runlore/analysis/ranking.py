"""Rank params and metrics by how likely people look for them."""

import re
from collections.abc import Mapping
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


def by_use(params: Mapping[str, Any]) -> dict[str, Any]:
    """Sort params: those that people vary, then those without a dot in their name, then those of frameworks."""
    return dict(sorted(params.items(), key=lambda item: (not is_telling(item[0]), "." in item[0], item[0])))


def is_place(key: str) -> bool:
    """Return True for a param that names a place for files; it is shown after all others."""
    return key.endswith(PLACE_ENDINGS)


def is_extent(key: str) -> bool:
    """Return True for a metric that only says how much data there was; no table shows it unless it is asked for."""
    return re.split(r"[/.]", key)[-1] in EXTENTS


def is_aside(key: str) -> bool:
    """Return True for a metric of the training's progress, not of its quality, such as a duration; it is shown last."""
    return key.endswith(ASIDE_ENDINGS) or key.startswith(SYSTEM_PREFIX) or is_extent(key)
