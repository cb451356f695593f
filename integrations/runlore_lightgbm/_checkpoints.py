"""Files that boosters are saved to, in a training and after it, and those that they are read from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import lightgbm

from runlore import guest
from runlore.guest.additions import Additions, WrittenModels
from runlore_lightgbm._owners import origins, rounds_of, trained

MAX_KEPT_BYTES = 100 << 20  # of a model saved after its training; a larger one is hashed only
written = WrittenModels(str, rounds_of)  # boosters as pickles and copies hold them


@guest.harmless
def record_saved(booster: Any, path: Any, num_iteration: int | None, start_iteration: int) -> None:
    """Record the file that a booster was just saved to: a checkpoint of a training under way, or a file of its run."""
    rounds = rounds_of(booster)
    wanted = booster.best_iteration if num_iteration is None else num_iteration
    step = min(rounds, start_iteration + wanted) if wanted > 0 else rounds
    training = trained().get(booster)
    if training is not None:
        training.saved(os.fspath(path), step)
        return
    run = origins().run_of(booster, rounds)
    if run is not None:
        Additions(run).file(Path(path).absolute(), kind="model", most=MAX_KEPT_BYTES, step=step)


@guest.harmless
def note_read(booster: Any, path: Any) -> None:
    """Note the file that a booster was just read from."""
    origins().note_read(booster, path, rounds_of(booster))


def lineage(model: Any) -> Mapping[str, Any]:
    """Return what a training that goes on from a model asks of its run: a file that the model is, or was read from."""
    if isinstance(model, str | os.PathLike):
        return {"resume_from": model} if Path(model).exists() else {}
    if isinstance(model, lightgbm.Booster):
        found = origins().file_of(model, rounds_of(model))
        return {} if found is None else {"resume_from": found}
    return {}
