"""Files that models are saved to and read from, and what a fit goes on from."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import catboost

from runlore import guest
from runlore.guest.additions import Additions, WrittenModels
from runlore_catboost._framework import snapshot_of
from runlore_catboost._owners import origins, rounds_of

MAX_KEPT_BYTES = 100 << 20  # of a model saved after its training; a larger one is hashed only
written = WrittenModels(bytes, rounds_of)  # models as pickles and copies hold them


@guest.harmless
def record_saved(model: Any, path: Any) -> None:
    """Add the file that a model was just saved to to the run that made the model."""
    rounds = rounds_of(model)
    run = origins().run_of(model, rounds)
    if run is not None:
        Additions(run).file(Path(path).absolute(), kind="model", most=MAX_KEPT_BYTES, step=rounds - 1)


@guest.harmless
def note_read(model: Any, path: Any) -> None:
    """Note the file that a model was just read from; other sources have none."""
    if isinstance(path, str | os.PathLike):
        origins().note_read(model, path, rounds_of(model))
    else:
        origins().drop(model)


@guest.harmless
def run_of(model: Any) -> Any:
    """Return the run that made a model; None where none did, or it has gone on."""
    return origins().run_of(model, rounds_of(model))


@guest.harmless
def note_shrunk(model: Any, run: Any) -> None:
    """Note that a model of a run is that of an earlier iteration now; of no run where its first ones are gone."""
    if run is not None:
        origins().note_made(model, run, rounds_of(model))


def content_of(state: Any) -> Any:
    """Return the bytes of a model in the state that it is pickled as."""
    return state.get("__model") if isinstance(state, dict) else None


def lineage(start: Any, params: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a fit asks of its run: the snapshot, or the file of the model, that it goes on from."""
    snapshot = snapshot_of(params)
    if snapshot is not None and snapshot.exists():
        return {"resume_from": snapshot}
    if isinstance(start, str | os.PathLike):
        return {"resume_from": start} if Path(start).exists() else {}
    if isinstance(start, catboost.CatBoost):
        found = origins().file_of(start, rounds_of(start))
        return {} if found is None else {"resume_from": found}
    return {}
