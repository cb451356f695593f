"""Describe the data that a Trainer loads, without loading any of it."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from runlore import FitSession
from runlore.guest.datasets import content_of, kind_of, length
from runlore.guest.recorder import Recorder
from runlore.guest.sets import EvaluatedSet
from runlore.guest.wrapping import Written
from runlore_lightning._framework import loads_by_hook

MAX_LOADERS = 10  # of a combined loader that are described


def record_data(session: FitSession, trainer: Any) -> None:
    """Record class, rows and batch size of the datasets for training and validation, and fingerprints of tensors."""
    for name, loader in _named("train", trainer.train_dataloader).items():
        session.loader(name, loader)
    _name_set(session, trainer, "val", fits=True)
    for name, loader in _named("val", trainer.val_dataloaders).items():
        session.loader(name, loader)


def record_evaluated(target: Recorder, trainer: Any, stage: str, written: Written) -> str:
    """Record the data of a test ("test") or validation ("val"); return what the names of its metrics end in."""
    named = _name_set(target, trainer, stage, written)
    if named.is_new:
        for name, loader in _named(stage, _loaders(trainer, stage)).items():
            target.loader(named.name_of(name), loader)
    return named.ending


def _name_set(
    target: Recorder, trainer: Any, stage: str, written: Written | None = None, *, fits: bool = False
) -> EvaluatedSet:
    """Return the name of the set of data that a trainer tests or validates on.

    What a module or data module loads is made anew each time: where nothing else tells, class and length do.
    """
    parts: dict[str, Any] = {}
    for name, loader in _named(stage, _loaders(trainer, stage)).items():
        parts[name] = getattr(loader, "dataset", loader)
        sampler = getattr(loader, "sampler", None)
        if hasattr(sampler, "indices"):  # of a part of the dataset
            parts[f"{name}.sampler"] = sampler
    prints = {}
    if loads_by_hook(trainer, stage):
        prints = {name: content_of(part) or f"{kind_of(part)} {length(part)}" for name, part in parts.items()}
    return target.evaluated_on(stage, parts, found={}, prints=prints, fits=fits, written=written)


def _loaders(trainer: Any, stage: str) -> Any:
    return trainer.test_dataloaders if stage == "test" else trainer.val_dataloaders


def _named(name: str, loaders: Any) -> dict[str, Any]:
    """Return the loaders of what a Trainer takes by the names under which they are described: of their keys, if any."""
    found = list(islice(_flat(loaders), MAX_LOADERS))
    return {name: found[0][1]} if len(found) == 1 else {f"{name}{path}": loader for path, loader in found}


def _flat(loaders: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the loaders of what a Trainer takes: one, a list of them, a mapping, or either nested."""
    if isinstance(loaders, dict | list | tuple):
        for key, loader in loaders.items() if isinstance(loaders, dict) else enumerate(loaders):
            yield from _flat(loader, f"{path}_{key}")
    elif loaders is not None:
        yield path, loaders
