"""Recognise Lightning's searches for a learning rate or a batch size: fits within a fit, which are not recorded."""

from pathlib import Path
from typing import Any

PREFIXES = (".lr_find_", ".scale_batch_size_")  # of the checkpoints that a search writes to go back to


def is_searching(trainer: Any, had_callbacks: bool) -> bool:
    """Return True while Lightning tries rates or sizes: without the callbacks, or with one of its own instead."""
    callbacks = trainer.callbacks
    if not callbacks:
        return had_callbacks
    return type(callbacks[0]).__name__ == "_LRCallback"


def is_of_a_search(filepath: Any) -> bool:
    """Return True for a checkpoint that a search writes, goes back to, and removes."""
    return Path(filepath).name.startswith(PREFIXES)
