"""All that an integration uses besides the hooks.

Offered here: the fits under way (`in_fit`, `in_search`, `is_part`, `current`, `unrecorded`, `token`, `within`), guards
that leave no trace in somebody's training, `part`, the place for an integration's own state, and `open_run`, the run
that a call of the user's belongs to. The modules: `session` (`FitSession`), `options` (arguments of callbacks),
`wrapping` (functions of a framework), `additions` (after a fit), `launch` (other processes), `datasets` (data loaders,
and what tells one dataset from another), `opening` (`stand`), `sets` (names for those that a model is evaluated on).
"""

from typing import TYPE_CHECKING

from runlore._lazy import lazy

if TYPE_CHECKING:
    from runlore.guest.additions import writer_of
    from runlore.guest.files.named import take_settings
    from runlore.guest.fits import in_fit, in_search, is_part, token, unrecorded, within
    from runlore.guest.guards import (
        Leaving,
        autolog_wanted,
        autologged,
        describe,
        frameless,
        harmless,
        is_users_function,
        is_users_module,
        rearm,
        records_dry_runs,
        run_name,
        telling_once,
        unseen,
        warn,
        why_pruned,
        without_trace,
    )
    from runlore.guest.request import FitRequest
    from runlore.guest.session import current, fit_of, tell_part
    from runlore.guest.state import Part, file_state, once_imported, open_run, part

_HOMES = {
    "Part": "state",
    "FitRequest": "request",
    "Leaving": "guards",
    "autolog_wanted": "guards",
    "autologged": "guards",
    "current": "session",
    "describe": "guards",
    "file_state": "state",
    "fit_of": "session",
    "frameless": "guards",
    "harmless": "guards",
    "in_fit": "fits",
    "in_search": "fits",
    "is_part": "fits",
    "is_users_function": "guards",
    "is_users_module": "guards",
    "once_imported": "state",
    "open_run": "state",
    "part": "state",
    "rearm": "guards",
    "records_dry_runs": "guards",
    "run_name": "guards",
    "take_settings": "files.named",
    "tell_part": "session",
    "telling_once": "guards",
    "token": "fits",
    "unrecorded": "fits",
    "unseen": "guards",
    "warn": "guards",
    "why_pruned": "guards",
    "within": "fits",
    "writer_of": "additions",
    "without_trace": "guards",
}
__getattr__, __dir__ = lazy(__name__, _HOMES)

__all__ = [
    "FitRequest",
    "Leaving",
    "Part",
    "autolog_wanted",
    "autologged",
    "current",
    "describe",
    "file_state",
    "fit_of",
    "frameless",
    "harmless",
    "in_fit",
    "in_search",
    "is_part",
    "is_users_function",
    "is_users_module",
    "once_imported",
    "open_run",
    "part",
    "rearm",
    "records_dry_runs",
    "run_name",
    "take_settings",
    "tell_part",
    "telling_once",
    "token",
    "unrecorded",
    "unseen",
    "warn",
    "why_pruned",
    "within",
    "without_trace",
    "writer_of",
]
