"""Files that boosters are saved to, in a training and after it, and those that they are read from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xgboost

from runlore import guest
from runlore.guest.additions import WrittenModels
from runlore_xgboost._owners import additions_of, origins, rounds_of, trained

MAX_KEPT_BYTES = 100 << 20  # of a model saved after its training; a larger one is hashed only
written = WrittenModels(bytearray, rounds_of)  # boosters as pickles and copies hold them


@guest.harmless
def record_saved(booster: Any, path: Any) -> None:
    """Record the file that a booster was just saved to: a checkpoint of a training under way, or a file of its run."""
    if not isinstance(path, str | os.PathLike):
        return
    place = expanded(path)
    training = trained().get(booster)
    if training is not None:
        training.saved(place)
    elif "://" not in place:
        additions = additions_of(booster)
        if additions is not None:
            file = Path(place).absolute()
            additions.file(file, kind="model", most=MAX_KEPT_BYTES, step=additions.step)


@guest.harmless
def note_read(booster: Any, path: Any) -> None:
    """Note the file that a booster was just read from."""
    if isinstance(path, str | os.PathLike):
        origins().note_read(booster, expanded(path), rounds_of(booster))
    else:
        written.note_loaded(booster, path)


def lineage(model: Any) -> Mapping[str, Any]:
    """Return what a training that goes on from a model asks of its run: a file that the model is, or was read from."""
    if isinstance(model, str | os.PathLike):
        place = expanded(model)
        return {"resume_from": place} if Path(place).exists() else {}
    if isinstance(model, xgboost.Booster):
        found = origins().file_of(model, rounds_of(model))
        return {} if found is None else {"resume_from": found}
    return {}


def expanded(path: str | os.PathLike[str]) -> str:
    """Return a path as xgboost uses it."""
    return os.path.expanduser(os.fspath(path))  # noqa: PTH111  # a URL is no Path
