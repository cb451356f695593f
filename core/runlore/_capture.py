"""Capturing the environment of runs on a thread of its own, once per process and content."""

import hashlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore._blobs import Blobs
from runlore._values import describe

if TYPE_CHECKING:
    from runlore._plugins import Plugins

FRESH = 2.0  # seconds for which a capture serves the next runs too
TIMEOUT = 5.0  # for one provider, and for a run that waits for the capture when it ends
INLINE = 512  # characters of a section's JSON up to which it stands in the log; a longer one becomes a blob


@dataclass(slots=True)
class Capture:
    """One look at the environment; `done` is set when `sections` and `missing` are complete."""

    done: threading.Event = field(default_factory=threading.Event)
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: list[dict[str, str]] = field(default_factory=list)
    finished_at: float | None = None


class Captures:
    """Starts captures for runs, and lets runs that start close to each other share one."""

    def __init__(self, plugins: "Callable[[], Plugins]") -> None:
        self._plugins = plugins
        self._lock = threading.Lock()
        self._latest: Capture | None = None

    def start(self, then: Callable[[Capture], None]) -> threading.Thread | None:
        """Look at the environment in the background and call `then`; at once where a fresh look exists.

        Returns the thread to wait for, or None where `then` was called already.
        """
        with self._lock:
            capture = self._latest
            if capture is None or _is_old(capture):
                capture = self._latest = Capture()
                thread = threading.Thread(target=self._look, args=(capture, then), name="runlore-capture", daemon=True)
                thread.start()
                return thread
        if capture.done.is_set():
            then(capture)
            return None
        thread = threading.Thread(target=_wait, args=(capture, then), name="runlore-capture", daemon=True)
        thread.start()
        return thread

    def _look(self, capture: Capture, then: Callable[[Capture], None]) -> None:
        def note(plugin: str, error: Exception) -> None:
            capture.missing.append({"what": f"environment from {plugin}", "why": f"{type(error).__name__}: {error}"})

        try:
            from runlore.hookspecs import CaptureRequest

            request = CaptureRequest(Path.cwd(), tuple(sys.argv), TIMEOUT)
            for sections in self._plugins().results("runlore_capture_environment", note, request=request):
                for name, values in sections.items():
                    capture.sections.setdefault(name, {}).update(_plain(values))
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        capture.finished_at = time.monotonic()
        capture.done.set()
        then(capture)


def environment_event(capture: Capture, blobs: Blobs) -> dict[str, Any]:
    """The event that tells a run's environment: small sections in place, large ones by the hash of their blob.

    Raises:
        OSError: a blob can't be written.
    """
    sections: dict[str, Any] = {}
    for name, values in capture.sections.items():
        text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        data = text.encode("utf-8", "backslashreplace")
        if len(text) <= INLINE:
            sections[name] = {"values": values, "sha256": hashlib.sha256(data).hexdigest()}
        else:
            sections[name] = {"sha256": blobs.put_bytes(data)}
    return {"type": "environment", "sections": sections}


def _is_old(capture: Capture) -> bool:
    return capture.finished_at is not None and time.monotonic() - capture.finished_at > FRESH


def _wait(capture: Capture, then: Callable[[Capture], None]) -> None:
    if capture.done.wait(TIMEOUT):
        then(capture)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {str(key): describe(value) for key, value in values.items()}
