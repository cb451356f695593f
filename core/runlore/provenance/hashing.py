"""Completing what was recorded without its hash: done by readers, so that training need not wait for it.

A reader opens only what it has proof of that this user has recorded it: a store may name any file of its reader's.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runlore._text import count_text
from runlore._warnings import report
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import extent, hashed, kept_or_hashed
from runlore.artifacts.folders import unescaped
from runlore.index.contents import is_pending, list_pending
from runlore.log.folder import Folder
from runlore.log.record import read_record
from runlore.plugins.manager import plugins
from runlore.provenance.trust import Proven
from runlore.recording.run import attach
from runlore.store.runs import RecordedRun
from runlore.store.store import Store

SLACK_NS = 1_000_000_000  # that a file may be younger than the last word of the run that wrote it


def complete(folder: Folder, run_ids: Iterable[str]) -> int:
    """Hash what is pending in some runs and can still be hashed; return the number of artifacts that were settled."""
    settled = 0
    for run_id in run_ids:
        settled += _settle(folder, run_id)[0]
    return settled


def _settle(folder: Folder, run_id: str) -> tuple[int, int]:
    """Hash what is pending in a run; return the number of artifacts that were settled, and of those not this user's."""
    record, _ = read_record(folder, run_id)
    waiting = [item for item in record.artifacts if item.get("pending")]
    proven = Proven(folder, run_id)
    own = [item for item in waiting if proven.has(item)]
    events = list(_completions(folder, own, record.ended))
    if events:
        with attach(folder, run_id) as run:
            for event in events:
                run.run_log.event(event)
    return len(events), len(waiting) - len(own)


def complete_all(store: Store) -> None:
    """Hash what is pending in any run, if the store can be written."""
    if os.access(store.root, os.W_OK):
        complete(store.folder, store.ask(list_pending))


def complete_run(run: RecordedRun) -> RecordedRun:
    """Hash what is pending in a run that has ended; return the run as it is recorded then.

    A warning tells of files that are not opened, as nothing proves that this user has recorded them.
    """
    if run.status == "running" or not run.store.ask(is_pending, run.id) or not os.access(run.store.root, os.W_OK):
        return run
    settled, foreign = _settle(run.store.folder, run.id)
    if foreign:
        report(
            f"{count_text(foreign, 'file')} of run {run.name!r} not hashed and not kept: nothing proves that you "
            "recorded them on this machine. Their content stays unknown unless whoever recorded them reads the run"
        )
    return run.store.run(run.id) if settled else run


def _completions(folder: Folder, waiting: Iterable[dict[str, Any]], ended: int | None) -> Iterator[dict[str, Any]]:
    """Yield the events that complete artifacts of a run that has `ended`: with their hash, or why there is none."""
    latest = (ended or time.time_ns() // 1000) * 1000 + SLACK_NS
    for item in waiting:
        event: dict[str, Any] = {"type": "artifact", "completes": True}
        event |= {key: item[key] for key in ("path", "id") if key in item}
        try:
            recorded = str(item.get("path"))
            path = Path(unescaped(recorded) if item.get("escaped") is True else recorded)
            yield event | _hashed(path, item, folder, latest)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            yield event | {"sha256": None, "why": f"it could not be hashed: {reason}"}


def _hashed(path: Path, item: dict[str, Any], folder: Folder, latest: int) -> dict[str, Any]:
    """Return the hash of a file that still is what was recorded; `latest` is the newest mtime (ns) that it may have."""
    before = extent(path)
    if item.get("size") is None and before[1] > latest:  # a thread of the run was to write it, and another program did
        return {"sha256": None, "why": "it was written after the run had ended"}
    if item.get("size") is not None and before != (item["size"], item.get("mtime_ns")):
        return {"sha256": None, "why": "it was changed before it was hashed"}
    found = kept_or_hashed(path, Blobs(folder.blobs), plugins().rewrite_file) if item.get("keep") else hashed(path)
    if extent(path) != before:
        return {"sha256": None, "stored": False, "why": "it was changed while it was hashed"}
    return {"size": before[0], **found}
