"""Experiment tracking that writes itself: add one callback, or call `runlore.autolog()`, and every run is on record."""

import sys

from runlore import _startup  # at once: the script may leave the folder before its first run
from runlore._lazy import call_at_import, lazy

TYPE_CHECKING = False  # as in `_lazy`
if TYPE_CHECKING:
    from runlore.api import (
        current_run,
        group,
        log_artifact,
        log_histogram,
        log_media,
        log_metrics,
        log_params,
        log_table,
        set_tags,
        start_run,
    )
    from runlore.errors import RunloreError, RunloreWarning
    from runlore.guest.session import FitSession
    from runlore.hookspecs import hookimpl
    from runlore.plugins.autolog import autolog
    from runlore.programs.cells import load_ipython_extension, unload_ipython_extension
    from runlore.store.store import Store, open_store


if sys.platform == "win32":
    raise ImportError("runlore needs Linux or macOS for now: its logs are guarded by flock, which Windows lacks")

__version__ = "0.1.0"

_HOMES = {
    "FitSession": "guest.session",
    "RunloreError": "errors",
    "RunloreWarning": "errors",
    "Store": "store.store",
    "autolog": "plugins.autolog",
    "current_run": "api",
    "group": "api",
    "hookimpl": "hookspecs",
    "load_ipython_extension": "programs.cells",
    "log_artifact": "api",
    "log_histogram": "api",
    "log_media": "api",
    "log_metrics": "api",
    "log_params": "api",
    "log_table": "api",
    "open_store": "store.store",
    "set_tags": "api",
    "start_run": "api",
    "unload_ipython_extension": "programs.cells",
}
_VERBS = {
    "autolog",
    "current_run",
    "group",
    "log_artifact",
    "log_histogram",
    "log_media",
    "log_metrics",
    "log_params",
    "log_table",
    "set_tags",
    "start_run",
}  # of trainings
__getattr__, __dir__ = lazy(__name__, _HOMES, _VERBS)

__all__ = [
    "FitSession",
    "RunloreError",
    "RunloreWarning",
    "Store",
    "autolog",
    "current_run",
    "group",
    "hookimpl",
    "load_ipython_extension",
    "log_artifact",
    "log_histogram",
    "log_media",
    "log_metrics",
    "log_params",
    "log_table",
    "open_store",
    "set_tags",
    "start_run",
    "unload_ipython_extension",
]

if _startup.may_want_autolog():
    call_at_import(__name__, "plugins.autolog", "autolog_by_setting")
