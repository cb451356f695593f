"""Runs found by what stands in their opening event, such as the token that a parent process gave them."""

from collections.abc import Iterator
from itertools import islice

from runlore import _ids
from runlore.log.folder import Folder
from runlore.log.reader import FOREIGN, read_log, read_sealed

MOST = 1_000  # runs of a day that are looked through


def opened_with(folder: Folder, key: str, token: str) -> Iterator[str]:
    """The ids of the runs whose opening events have this token, newest first; it is itself an id, older than they."""
    since = _ids.id_day(token)
    for day in sorted(folder.days(), reverse=True):
        if day.relative_to(folder.runs).as_posix() < since:
            return
        ids = {path.name[: _ids.ID_DIGITS] for path in day.iterdir() if path.name > token}
        for run_id in islice(sorted(ids, reverse=True), MOST):
            for item in folder.files_of(run_id):
                try:
                    content = (read_sealed if item.sealed else read_log)(item.path, item.ordinal)
                except FOREIGN:
                    continue
                if content.opening.get(key) == token:
                    yield run_id
                    break
