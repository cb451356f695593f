"""Experiment tracking that writes itself: add one callback, or call `runlore.autolog()`, and every run is on record."""

import sys
from typing import TYPE_CHECKING, Any

from runlore import _began  # noqa: F401  # at once: the script may leave the folder before its first run

if sys.platform == "win32":
    raise ImportError("runlore needs Linux or macOS for now: its logs are guarded by flock, which Windows lacks")

__version__ = "0.1.0"

if TYPE_CHECKING:
    from runlore._autolog import autolog
    from runlore.api import current_run, log_artifact, log_metrics, log_params, set_tags, start_run
    from runlore.errors import RunloreError, RunloreWarning
    from runlore.hookspecs import hookimpl
    from runlore.session import FitSession
    from runlore.store import Store, open_store

_HOMES = {
    "FitSession": "session",
    "RunloreError": "errors",
    "RunloreWarning": "errors",
    "Store": "store",
    "autolog": "_autolog",
    "current_run": "api",
    "hookimpl": "hookspecs",
    "log_artifact": "api",
    "log_metrics": "api",
    "log_params": "api",
    "open_store": "store",
    "set_tags": "api",
    "start_run": "api",
}

__all__ = [
    "FitSession",
    "RunloreError",
    "RunloreWarning",
    "Store",
    "autolog",
    "current_run",
    "hookimpl",
    "log_artifact",
    "log_metrics",
    "log_params",
    "open_store",
    "set_tags",
    "start_run",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'runlore' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"runlore.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
