"""Capturing the environment and the code of runs on threads of their own, once for runs that start close together."""

import hashlib
import json
import math
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import kept_content, losses_of
from runlore.log.values import describe
from runlore.plugins.git import TIMEOUT

if TYPE_CHECKING:
    from runlore.plugins.manager import Plugins

FRESH = 2.0  # seconds for which a look serves the next runs too, or
AMORTISED = 20  # times as long as the look took

INLINE = 512  # characters of a section's JSON up to which it stands in the log; a longer one becomes a blob

Event = dict[str, Any]
Look = Callable[["Plugins", Callable[[str, Exception], None], float], list[Event]]


@dataclass(slots=True)
class Capture:
    """One look; `done` is set when everything else is complete."""

    done: threading.Event = field(default_factory=threading.Event)
    found: list[Event] = field(default_factory=list)  # events whose contents are still in place
    missing: list[dict[str, str]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)
    since: float = field(default_factory=time.time)
    ended: float | None = None
    awaited: bool = False  # whether a run has waited for it in vain
    cwd: str = field(default_factory=lambda: _cwd())
    kept: dict[Path, list[Event]] = field(default_factory=dict)  # by store: events whose contents are blobs

    @property
    def is_old(self) -> bool:
        """Whether it is too old for a run that starts now."""
        fresh = FRESH if self.ended is None else max(FRESH, AMORTISED * (self.ended - self.began))
        return self.cwd != _cwd() or (self.ended is not None and time.monotonic() - self.ended > fresh)

    def events(self, blobs: Blobs) -> list[Event]:
        """What to write into the log of a run, contents kept in `blobs`.

        Raises:
            OSError: a blob can't be written.
        """
        if blobs.root not in self.kept or not all(map(blobs.holds, _hashes(self.kept[blobs.root]))):
            self.kept[blobs.root] = [_kept(event, blobs) for event in self.found]
        return self.kept[blobs.root]


class Captures:
    """Starts looks for runs, and lets runs that start close to each other share one."""

    def __init__(self, what: str, look: Look, plugins: "Callable[[], Plugins]") -> None:
        self.what = what
        self._look_at = look
        self._plugins = plugins
        self._lock = threading.Lock()
        self._latest: Capture | None = None

    def start(self, then: Callable[[Capture], None]) -> "Awaited | None":
        """Look in the background and call `then`; at once where a fresh look exists. What to wait for, if anything."""
        with self._lock:
            capture = self._latest
            if capture is None or capture.is_old:
                capture = self._latest = Capture()
                return Awaited(self.what, capture, self._look, then)
        if capture.done.is_set():
            then(capture)
            return None
        return Awaited(self.what, capture, _wait, then)

    def forget(self) -> None:
        """Share nothing of what was captured so far."""
        with self._lock:
            self._latest = None

    def _look(self, capture: Capture, then: Callable[[Capture], None]) -> None:
        def note(plugin: str, error: Exception) -> None:
            capture.missing.append({"what": f"{self.what} from {plugin}", "why": f"{type(error).__name__}: {error}"})

        try:
            capture.found += self._look_at(self._plugins(), note, capture.since)
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        capture.ended = time.monotonic()
        capture.done.set()
        then(capture)


class Awaited:
    """A look on its thread, that a run waits for when it ends."""

    def __init__(
        self,
        what: str,
        capture: Capture,
        work: Callable[[Capture, Callable[[Capture], None]], None],
        then: Callable[[Capture], None],
    ) -> None:
        self.what = what
        self._capture = capture
        self._thread = threading.Thread(target=work, args=(capture, then), name="runlore-capture", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no thread to be had: the run says that nothing was captured
            capture.awaited = True

    def wait(self, until: float) -> bool:
        """Wait until the monotonic time `until`, but not for a look that has kept a run waiting before."""
        if self._thread.ident is None:
            return False
        self._thread.join(0 if self._capture.awaited else max(0.0, until - time.monotonic()))
        self._capture.awaited |= self._thread.is_alive()
        return not self._thread.is_alive()


def _cwd() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # somebody removed it
        return ""


def _wait(capture: Capture, then: Callable[[Capture], None]) -> None:
    if capture.done.wait(TIMEOUT):
        then(capture)


def look_at_environment(
    plugins: "Plugins", note: Callable[[str, Exception], None], since: float = math.inf
) -> list[Event]:
    """The event that tells the environment, every section in place."""
    found: dict[str, dict[str, Any]] = {}
    for sections in plugins.results("runlore_capture_environment", note, request=_request(since)):
        for name, values in sections.items():
            found.setdefault(name, {}).update({str(key): describe(value) for key, value in values.items()})
    event = plugins.rewrite_event({"type": "environment", "sections": found})
    return [dict(event)]


def look_at_files(plugins: "Plugins", note: Callable[[str, Exception], None], since: float = math.inf) -> list[Event]:
    """Artifact events for the files that plugins capture, the contents in place of hashes."""
    whole: list[Event] = []
    folders: dict[str, Event] = {}
    for files in plugins.results("runlore_capture_files", note, request=_request(since)):
        for file in files:
            checked = plugins.rewrite_file(file)
            whole += losses_of(checked)
            if checked.withheld is not None:
                continue
            if checked.folder is None:
                whole.append(
                    {"type": "artifact", "name": checked.name, "kind": checked.kind, "content": checked.content}
                )
            else:
                event = {"type": "artifact", "name": checked.folder, "kind": checked.kind, "content": {}}
                folders.setdefault(checked.folder, event)["content"][checked.name] = checked.content
    return [*whole, *folders.values()]


def section_event(name: str, values: Mapping[str, Any]) -> Event:
    """The event that tells one short section of the environment."""
    return {"type": "environment", "sections": {name: _inline(values, _json(values))}}


def _request(since: float) -> Any:
    from runlore.hookspecs import CaptureRequest

    return CaptureRequest(Path.cwd(), tuple(sys.argv), TIMEOUT, since)


def _kept(event: Event, blobs: Blobs) -> Event:
    if event["type"] == "environment":
        return {
            "type": "environment",
            "sections": {name: _section(item, blobs) for name, item in event["sections"].items()},
        }
    if event["type"] != "artifact":
        return event
    rest = {key: value for key, value in event.items() if key != "content"}
    return kept_content(rest, event["content"], blobs)


def _hashes(events: list[Event]) -> list[str]:
    """The contents that events name: somebody may have removed the store since they were kept."""
    found = [str(event["sha256"]) for event in events if event["type"] == "artifact" and "files" not in event]
    found += [str(member[2]) for event in events for member in event.get("files", ())]
    sections = [section for event in events for section in event.get("sections", {}).values()]
    return found + [str(section["sha256"]) for section in sections if "values" not in section]


def _section(values: Mapping[str, Any], blobs: Blobs) -> dict[str, Any]:
    data = _json(values)
    return _inline(values, data) if len(data) <= INLINE else {"sha256": blobs.put_bytes(data)}


def _inline(values: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    return {"values": values, "sha256": hashlib.sha256(data).hexdigest()}


def _json(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
