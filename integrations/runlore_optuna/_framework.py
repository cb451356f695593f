"""Optuna itself: its name, the versions that were tested, and what can be had by private names only."""

import os
from typing import Any

NAME = "optuna"
TESTED = ("4.9", "5.0")


def check_version() -> None:
    """Warn of a version that runlore was not tested with."""
    import optuna

    from runlore.guest import wrapping

    wrapping.check_version("Optuna", optuna.__version__, TESTED)


def storage_of(study: Any) -> Any:
    """Return the storage of a study, without the cache that stands before a database; None if it is not found."""
    storage = getattr(study, "_storage", None)
    return getattr(storage, "_backend", storage) if type(storage).__name__ == "_CachedStorage" else storage


def shared_name(study: Any) -> str | None:
    """Return what names a study in the storage that processes share, as a hash; None for one in memory."""
    storage = storage_of(study)
    backend = getattr(storage, "_backend", None)
    place = getattr(storage, "url", None) or getattr(backend, "_url", None)
    file = getattr(backend, "_file_path", None)
    if place is None and file is not None:
        place = f"journal:{os.path.realpath(file)}"
    host = getattr(storage, "_host", None)
    if place is None and host is not None:
        place = f"grpc:{host}:{getattr(storage, '_port', '')}"
    if not isinstance(place, str) or place.endswith(":memory:"):
        return None
    if place.startswith("sqlite:///"):
        place = "sqlite:///" + os.path.realpath(place.removeprefix("sqlite:///"))
    import hashlib  # late: it takes long to import, and every program's start waits for this file

    return hashlib.sha256(f"{place}#{number_of(study)}#{study.study_name}".encode()).hexdigest()[:16]


def retried_by(trial: Any) -> list[int]:
    """Return the numbers of the trials that a trial is a retry of, the latest last; what tells it is not public."""
    known = getattr(trial, "_cached_frozen_trial", None)
    return list(getattr(known, "system_attrs", {}).get("retry_history", ()))


def number_of(study: Any) -> Any:
    """Return the number of a study in its storage, which another study there, also of its name, does not have."""
    return getattr(study, "_study_id", None)


def key_of(study: Any) -> tuple[object, ...]:
    """Return what stands for a study in this process, whichever object holds it."""
    from runlore.guest.wrapping import token_of  # late: the plugin, which every run loads, imports this file

    shared = shared_name(study)
    return (shared,) if shared is not None else (token_of(storage_of(study)), number_of(study))
