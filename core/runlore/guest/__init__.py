"""All that an integration uses besides the hooks.

Offered here: the fits under way (`in_fit`, `current`, `unrecorded`, `token`, `within`), guards that leave no trace in
somebody's training, and `part`, the place for an integration's own state. The modules: `session` (`FitSession`),
`options` (arguments of callbacks), `wrapping` (functions of a framework), `additions` (after a fit), `launch` (other
processes), `loaders` (descriptions of data loaders).
"""

from typing import TYPE_CHECKING

from runlore._lazy import lazy

if TYPE_CHECKING:
    from runlore.guest.additions import writer_of
    from runlore.guest.fits import in_fit, token, unrecorded, within
    from runlore.guest.guards import (
        autolog_wanted,
        describe,
        harmless,
        rearm,
        records_dry_runs,
        run_name,
        unseen,
        warn,
        without_trace,
    )
    from runlore.guest.request import FitRequest
    from runlore.guest.session import current
    from runlore.guest.state import Part, part

_HOMES = {
    "Part": "state",
    "FitRequest": "request",
    "autolog_wanted": "guards",
    "current": "session",
    "describe": "guards",
    "harmless": "guards",
    "in_fit": "fits",
    "part": "state",
    "rearm": "guards",
    "records_dry_runs": "guards",
    "run_name": "guards",
    "token": "fits",
    "unrecorded": "fits",
    "unseen": "guards",
    "warn": "guards",
    "within": "fits",
    "writer_of": "additions",
    "without_trace": "guards",
}
__getattr__, __dir__ = lazy(__name__, _HOMES)

__all__ = [
    "FitRequest",
    "Part",
    "autolog_wanted",
    "current",
    "describe",
    "harmless",
    "in_fit",
    "part",
    "rearm",
    "records_dry_runs",
    "run_name",
    "token",
    "unrecorded",
    "unseen",
    "warn",
    "within",
    "without_trace",
    "writer_of",
]
