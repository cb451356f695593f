"""Completing what was recorded without its hash: done by readers, so that training need not wait for it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import extent, hashed, kept_or_hashed
from runlore.log.folder import Folder
from runlore.plugins.manager import plugins
from runlore.recording.run import attach

SLACK = 1_000_000_000  # ns that a file may be younger than the last word of the run that wrote it


def complete(folder: Folder, run_ids: list[str]) -> int:
    """Hash what is pending in these runs and can still be hashed; the number of artifacts that were settled."""
    settled = 0
    for run_id in run_ids:
        events = list(_completions(folder, run_id))
        if events:
            with attach(folder, run_id) as run:
                for event in events:
                    run.run_log.event(event)
        settled += len(events)
    return settled


def _completions(folder: Folder, run_id: str) -> Iterator[dict[str, Any]]:
    from runlore.log.record import read_record

    record, _ = read_record(folder, run_id)
    latest = (record.ended or time.time_ns() // 1000) * 1000 + SLACK
    for item in record.artifacts:
        if not item.get("pending"):
            continue
        event: dict[str, Any] = {"type": "artifact", "completes": True}
        event |= {key: item[key] for key in ("path", "id") if key in item}
        try:
            yield event | _hashed(Path(str(item.get("path"))), item, folder, latest)
        except (OSError, ValueError) as error:
            yield event | {
                "sha256": None,
                "why": f"it could not be hashed: {getattr(error, 'strerror', None) or error}",
            }


def _hashed(path: Path, item: dict[str, Any], folder: Folder, latest: int) -> dict[str, Any]:
    before = extent(path)
    if item.get("size") is None and before[1] > latest:  # a thread was to write it, and somebody did, later
        return {"sha256": None, "why": "it was written after the run had ended"}
    if item.get("size") is not None and before != (item["size"], item.get("mtime_ns")):
        return {"sha256": None, "why": "it was changed before it was hashed"}
    found = kept_or_hashed(path, Blobs(folder.blobs), plugins().rewrite_file) if item.get("keep") else hashed(path)
    if extent(path) != before:
        return {"sha256": None, "stored": False, "why": "it was changed while it was hashed"}
    return {"size": before[0], **found}
