"""Finding runs by a field of their opening event, such as the token that a parent process gave them."""

from collections.abc import Iterator
from itertools import islice

from runlore import _ids
from runlore._inside import list_names
from runlore.errors import FormatError
from runlore.log.folder import Folder
from runlore.log.reader import read_log, read_sealed

MAX_RUNS = 1_000  # of a day that are looked through, the newest


def opened_with(folder: Folder, key: str, token: str) -> Iterator[str]:
    """Iterate over the ids of the runs whose opening event has `token` as its field `key`, newest first.

    The token begins with a run id, made before these runs were started: no older run is looked at.
    """
    since = _ids.id_day(token)
    for day in sorted(folder.days([]), reverse=True):
        if day.relative_to(folder.runs).as_posix() < since:
            return
        try:
            ids = {name[: _ids.ID_DIGITS] for name in list_names(day, folder.root) if name > token}
        except OSError:  # another user's
            continue
        for run_id in islice(sorted(ids, reverse=True), MAX_RUNS):
            for item in folder.files_of(run_id):
                try:
                    content = (read_sealed if item.sealed else read_log)(item.path, item.ordinal)
                except (OSError, FormatError):  # this file can't be read; others may
                    continue
                if content.opening.get(key) == token:
                    yield run_id
                    break
