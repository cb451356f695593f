"""Capture the environment and the code of runs on threads, once for runs that start close together."""

import json
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from runlore._frozen import changed
from runlore._ids import sha256_of
from runlore._settings import present_folder
from runlore._standing import loaded
from runlore._startup import script_arguments, working_folder
from runlore._threads import OwnThread
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.events import kept_content, losses_of
from runlore.hookspecs import CapturedFile, CaptureRequest
from runlore.log.events import Event
from runlore.log.values import describe
from runlore.plugins.git import TIMEOUT_S
from runlore.plugins.manager import Plugins, plugins

PLUGIN_S = TIMEOUT_S  # that a plugin of somebody else's has for what it captures
SHARED_S = 2.0  # after its end a capture serves the runs of so many seconds,
SHARED_TIMES = 20  # or of so many times its own duration, whatever is longer

MAX_TAKERS = 1_000  # runs that get what one capture finds; behind a plugin that hangs all others stay without it
MAX_INLINE_BYTES = 512  # of a section's JSON; a longer one becomes a blob

Taker = Callable[["Capture"], None]
Look = Callable[[Plugins, Callable[[str, Exception], None], float], list[Event]]


class Capture:
    """The environment or the code of the process at one moment; `done` is True when everything else is complete."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.done = False
        self.found: list[Event] = []  # contents stand in the events
        self.missing: list[dict[str, str]] = []
        self.began = time.monotonic()
        self.since = time.time()  # when it began, in seconds since 1970
        self.ended: float | None = None  # on the clock of `began`
        self.was_late = False  # a run has waited for it in vain; such a one is not waited for again
        self.cwd = working_folder()
        self.modules = frozenset[str]()  # the names of those that were imported when it began …
        self.newest: tuple[int, str] | None = None  # … and which was the last of how many, if that was to be had
        self.kept: dict[str, list[Event]] = {}  # by folder of blobs: events with hashes of contents
        self.takers: list[Taker] = []  # called when it is done
        self.thread: threading.Thread | None = None  # None where none was to be had

    @property
    def is_old(self) -> bool:
        """True if it is too old for a run that starts now."""
        if self.cwd != working_folder() or (self.thread is None and not self.done):
            return True
        if self.ended is None:
            return False
        return time.monotonic() - self.ended > max(SHARED_S, SHARED_TIMES * (self.ended - self.began))

    def events(self, blobs: Blobs) -> list[Event]:
        """Return the events for the log of a run, contents kept in `blobs`.

        Raises:
            OSError: a blob can't be written.
        """
        place = str(blobs.root)
        if place not in self.kept or not all(map(blobs.holds, _hashes(self.kept[place]))):
            self.kept[place] = [_kept(event, blobs) for event in self.found]
        return self.kept[place]


class Captures:
    """Starts captures of one kind, and lets runs that start close to each other share one."""

    def __init__(self, what: str, look: Look) -> None:
        self.what = what
        self._look = look
        self._lock = threading.Lock()
        self._latest: Capture | None = None

    def start(self, then: Taker) -> "Awaited | None":
        """Capture on a thread, call `then` there, and return what to wait for.

        With a recent capture `then` is called at once, and there is nothing to wait for.
        """
        with self._lock:
            capture = self._latest
            if capture is None or capture.is_old:
                capture = self._latest = Capture(self.what)
                self._begin(capture)
            if not capture.done:
                if len(capture.takers) < MAX_TAKERS:
                    capture.takers.append(then)
                return Awaited(self.what, capture)
        then(capture)
        return None

    def forget(self) -> None:
        """Let the next run capture anew."""
        with self._lock:
            self._latest = None

    def end(self) -> None:
        """Give a capture that runs have ended without the rest of its time: the process ends."""
        capture = self._latest
        if capture is not None and capture.was_late and capture.thread is not None:
            capture.thread.join(max(0.0, capture.began + TIMEOUT_S - time.monotonic()))

    def again(self, first: Capture, timeout: float) -> Capture:
        """Return what came to run since a capture, looked at on this thread; `timeout` is in seconds."""
        late = Capture(self.what)
        self._fill(late, lambda note: look_again(plugins(), note, first, timeout))
        return late

    def _begin(self, capture: Capture) -> None:
        thread = OwnThread(self._take, "runlore-capture", args=(capture,))
        with suppress(RuntimeError):  # no thread to be had: the run says that nothing was captured
            thread.start()
            capture.thread = thread

    def _take(self, capture: Capture) -> None:
        capture.newest = _newest_module()  # first: what is imported meanwhile is looked at again
        capture.modules = frozenset(loaded())
        self._fill(capture, lambda note: self._look(plugins(), note, capture.since))
        with self._lock:
            capture.done = True
            takers, capture.takers = capture.takers, []
        for take in takers:
            take(capture)

    def _fill(self, capture: Capture, look: Callable[[Callable[[str, Exception], None]], list[Event]]) -> None:
        def note(plugin: str, error: Exception) -> None:
            capture.missing.append({"what": f"{self.what} from {plugin}", "why": f"{type(error).__name__}: {error}"})

        try:
            capture.found += look(note)
        except Exception as error:  # a plugin may return anything; the training process must not see it
            note("a plugin", error)
        capture.ended = time.monotonic()


class Awaited:
    """A capture on its thread, which a run waits for when it ends."""

    def __init__(self, what: str, capture: Capture) -> None:
        self.what = what
        self._capture = capture

    @property
    def was_late(self) -> bool:
        """True if a run has waited for it in vain."""
        return self._capture.was_late

    def wait(self, seconds: float) -> str | None:
        """Wait so long; return why the capture is not complete, None if it is.

        One that has kept a run waiting in vain, or has had its time, is not waited for.
        """
        capture, thread = self._capture, self._capture.thread
        if thread is None:
            return "no thread could be started that finds it out"
        left = min(seconds, capture.began + TIMEOUT_S - time.monotonic())
        thread.join(0 if capture.was_late else max(0.0, left))
        capture.was_late |= thread.is_alive()
        return "not known when the run ended" if thread.is_alive() else None


def look_at_environment(
    plugins: Plugins, note: Callable[[str, Exception], None], since: float = math.inf, *, recording: bool = True
) -> list[Event]:
    """Return the event of the environment, with the values of every section."""
    request = changed(_request(since), recording=recording)
    found: dict[str, dict[str, Any]] = {}
    for sections in plugins.results("runlore_capture_environment", note, within=PLUGIN_S, request=request):
        for name, values in sections.items():
            found.setdefault(name, {}).update({str(key): describe(value) for key, value in values.items()})
    event = plugins.rewrite_event({"type": "environment", "sections": found})
    return [dict(event)]


def look_at_files(plugins: Plugins, note: Callable[[str, Exception], None], since: float = math.inf) -> list[Event]:
    """Return artifact events for the files that plugins capture, with contents instead of hashes."""
    results = plugins.results("runlore_capture_files", note, within=PLUGIN_S, request=_request(since))
    return _file_events(plugins, results)


def look_again(plugins: Plugins, note: Callable[[str, Exception], None], first: Capture, timeout: float) -> list[Event]:
    """Return the events of the files that came to run since a first capture.

    An artifact of the first one that has grown comes again, as a whole; of a file that both have, the later content
    counts only where it goes on from the earlier one, as a notebook's cells do.
    """
    request = _request(first.since, timeout=timeout, modules=_loaded_since(first))
    known = {event["name"]: event["content"] for event in first.found if isinstance(event.get("content"), dict)}
    found = []
    results = plugins.results("runlore_capture_late_files", note, within=timeout, request=request)
    for event in _file_events(plugins, results):
        earlier = known.get(event.get("name"), {})
        if isinstance(event.get("content"), dict):
            grown = {name: text for name, text in event["content"].items() if text.startswith(earlier.get(name, b""))}
            event["content"] = {**earlier, **grown}
        if event not in first.found:
            found.append(event)
    return found


def _loaded_since(first: Capture) -> frozenset[str]:
    """Return the names of the modules that were imported since a capture.

    `sys.modules` is in the order of imports: behind the module that was the newest then stand those that came since,
    as long as none before it was taken out. Comparing all names, thousands, would take longer than the end of a run.
    """
    if first.newest is not None and first.newest == _newest_module():
        return frozenset()  # as for most: nothing was imported
    names = list(loaded())
    if first.newest is not None:
        count, newest = first.newest
        if names[count - 1 : count] == [newest]:
            return frozenset(names[count:])
    return frozenset(names) - first.modules


def _newest_module() -> tuple[int, str] | None:
    """Return how many modules are loaded, and the one that was added last; None while another thread adds one."""
    with suppress(RuntimeError):
        modules = loaded()
        return len(modules), next(reversed(modules), "")  # type: ignore[call-overload,arg-type,unused-ignore]  # it is a dict
    return None


def section_event(name: str, values: Mapping[str, Any]) -> Event:
    """Return the event of one short section of the environment."""
    return {"type": "environment", "sections": {name: _inline(values, _json(values))}}


def environment_event(sections: Mapping[str, Mapping[str, Any]], blobs: Blobs) -> Event:
    """Return the event of sections that somebody else has captured, long ones kept in `blobs`; it is to be rewritten.

    Raises:
        OSError: a blob can't be written.
    """
    event = plugins().rewrite_event({"type": "environment", "sections": {**sections}})
    return _kept(dict(event), blobs)


def _file_events(plugins: Plugins, results: Iterable[Iterable[CapturedFile]]) -> list[Event]:
    whole: list[Event] = []
    folders: dict[str, Event] = {}
    for files in results:
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


def _request(since: float, timeout: float = TIMEOUT_S, **more: Any) -> CaptureRequest:
    return CaptureRequest(present_folder(), tuple(script_arguments()), timeout, since, **more)


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
    """Return the hashes of the contents that events name: somebody may have removed the store since."""
    found = [str(event["sha256"]) for event in events if event["type"] == "artifact" and "files" not in event]
    found += [str(member[2]) for event in events for member in event.get("files", ())]
    sections = [section for event in events for section in event.get("sections", {}).values()]
    return found + [str(section["sha256"]) for section in sections if "values" not in section]


def _section(values: Mapping[str, Any], blobs: Blobs) -> dict[str, Any]:
    data = _json(values)
    return _inline(values, data) if len(data) <= MAX_INLINE_BYTES else {"sha256": blobs.put_bytes(data)}


def _inline(values: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    return {"values": values, "sha256": sha256_of(data)}


def _json(values: Mapping[str, Any]) -> bytes:
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
