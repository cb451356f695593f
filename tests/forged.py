"""Stores that somebody else made: written from docs/format.md, with right checksums and any content."""

import hashlib
import json
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from runlore._ids import id_day, id_time, new_run_id
from runlore.log.frames import FORMAT, LOG_SIGNATURE, SEALED_SIGNATURE, SLOT_END, frame
from runlore.models.names import folder_name

_numbers = count()
MODEL_HEAD = b"RLMOD\0" + struct.pack("<H", FORMAT)


def json_frame(kind: str, content: Any) -> bytes:
    """Return a frame whose payload is a text of JSON: `kind` is its letter in docs/format.md."""
    return frame(ord(kind), json.dumps(content).encode())


def columns_frame(head: Any, data: bytes) -> bytes:
    """Return a frame of columns from its description and the bytes behind it."""
    text = json.dumps(head).encode()
    return frame(ord("C"), struct.pack("<I", len(text)) + text + data)


class ForgedStore:
    """A store's folder whose files hold what the caller says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("runs", "blobs"):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "format").write_text(f"{FORMAT}\nabcdefghjkmn\n")

    def run(
        self,
        events: Iterable[Mapping[str, Any]] = (),
        *,
        name: str = "forged",
        frames: Sequence[bytes] = (),
        opening: Mapping[str, Any] | None = None,
        end: Mapping[str, Any] | None = None,
        run: str = "",
    ) -> str:
        """Write the log of a run, and return its id. `opening` and `end` hold fields that replace an honest run's."""
        run = run or new_run_id(time.time_ns() // 1000)
        opened = id_time(run)
        honest = {
            "type": "open", "time": opened, "mode": "start", "run": run, "name": name, "experiment": "default",
            "parent": None, "argv": ["train.py"], "program": ["train.py"], "cwd": "/", "host": "other", "boot": "0",
            "pid": 1, "pid_start": 1, "pid_namespace": "",
        }  # fmt: skip
        ended = {"type": "end", "time": opened + 2, "status": "finished", "error": None, "lost": 0}
        written = [honest | dict(opening or {}), *({"time": opened + 1, **event} for event in events)]
        parts = [*(json_frame("J", event) for event in written), *frames, json_frame("J", ended | dict(end or {}))]
        head = LOG_SIGNATURE + struct.pack("<H", FORMAT)
        self._file(run, ".log").write_bytes(head.ljust(SLOT_END, b"\0") + b"".join(parts))
        return run

    def sealed(
        self, run: str, columns: Sequence[bytes], events: Sequence[Mapping[str, Any]], footer: Mapping[str, Any]
    ) -> Path:
        """Write a sealed file of a run from frames of columns, events, and fields that replace an honest footer's."""
        data = SEALED_SIGNATURE + struct.pack("<H", FORMAT)
        places = []
        for part in columns:
            places.append([len(data), 0])
            data += part
        start = len(data)
        data += b"".join(json_frame("J", event) for event in events)
        honest = {"rows": 0, "positions": [0] * len(events), "key_sets": [], "chunks": places, "tallies": {}}
        end = honest | {"damage": [], "orphans": 0, "torn": 0} | dict(footer)
        path = self._file(run, ".run")
        path.write_bytes(data + json_frame("F", end) + struct.pack("<QQ8s", start, len(data), b"RLSEALED"))
        return path

    def model(self, name: str, events: Iterable[Mapping[str, Any]], head: bytes = MODEL_HEAD) -> Path:
        """Write a file of a model, and return its path."""
        now = time.time_ns() // 1000
        path = self.root / "models" / folder_name(name) / f"{new_run_id(now)}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = [{"time": now, "order": now + place, "model": name, **event} for place, event in enumerate(events)]
        path.write_bytes(head + b"".join(json_frame("J", event) for event in whole))
        return path

    def blob(self, data: bytes) -> str:
        """Keep bytes as a blob, and return their hash."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.root / "blobs" / sha256[:2] / sha256
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return sha256

    def _file(self, run: str, suffix: str) -> Path:
        folder = self.root / "runs" / id_day(run)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run}.{next(_numbers):08x}{suffix}"
