"""Accompany a run while it is written: with captures, observers, its output, measurements of the machine."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from runlore._ids import id_time
from runlore._process import Part, process
from runlore._settings import flag
from runlore._warnings import report, valid_or
from runlore.hookspecs import RunInfo
from runlore.log.events import Event
from runlore.plugins import git
from runlore.plugins.manager import plugins
from runlore.recording.captures import Awaited, Capture, Captures, look_at_environment, look_at_files
from runlore.recording.run_log import RunLog
from runlore.recording.sampler import Sampler

END_S = 1.0  # that the end of a run waits for captures and observers together
MAX_AGAIN_BYTES = 8 << 20  # of output that are masked once more at the end, by what has been learned since: 0.6 s
MIN_LATE_S = 0.1  # of that for code that came to run since it was captured, whatever was waited for before

if TYPE_CHECKING:
    from runlore.recording.observing import Follower
    from runlore.recording.output import Output


class _Shared(Part):
    """Shared by the runs of one process: captures of the environment and the code, and measurements."""

    rank = 3  # behind the runs

    def __init__(self) -> None:
        self.captures = (Captures("environment", look_at_environment), Captures("code", look_at_files))
        self.sampler = Sampler()

    def end(self) -> None:
        """Give captures that runs have ended without the rest of their time, and the last thread time to end."""
        for captures in self.captures:
            captures.end()
        self.sampler.end()


def capture_afresh() -> None:
    """Let the next run capture anew, instead of sharing what was captured a moment ago."""
    for captures in process.part(_Shared).captures:
        captures.forget()


class Companions:
    """Begins, settles and ends with a run. No method raises."""

    def __init__(self, log: RunLog) -> None:
        self._log = log
        self.taken: list[Capture] = []  # the captures that the run has recorded
        self.before_end: list[Callable[[], None]] = []  # called as the run is about to end; must not raise
        self._awaited: list[Awaited] = []
        self._lock = threading.Lock()  # of what is captured, until the run waits no longer
        self._settled = False
        self._until = 0.0  # on the monotonic clock: when the end of the run waits no longer
        self._follower: Follower | None = None
        self._output: Output | None = None

    def begin(self, captures: Sequence[Capture] | None = None) -> None:
        """Start with an opened log; with `captures`, record these instead of capturing."""
        log = self._log
        if log.writer is None:
            return
        if plugins().observed:
            self._follower = self._follow()
        if log.mode == "attach":
            return
        if captures is None:
            self.capture()
        for capture in captures or ():
            self._record_capture(capture)
        if log.opening.get("parent") is None:  # a child's output and measurements are its parent's
            process.part(_Shared).sampler.watch(log)
            if valid_or(False, flag, "output"):
                self._output = self._record_output()

    def capture(self) -> None:
        """Capture the environment and the code of this process for the run."""
        started = [kind.start(self._record_capture) for kind in process.part(_Shared).captures]
        self._awaited = [awaited for awaited in started if awaited is not None]

    def await_captures(self, seconds: float = git.TIMEOUT_S) -> None:
        """Wait for the captures; write into the run which took too long."""
        until = time.monotonic() + seconds
        late = []
        for awaited in self._awaited:
            was_late = awaited.was_late
            why = awaited.wait(until - time.monotonic())
            if why is not None:
                self._log.missing(awaited.what, why)
                late += [awaited.what] if awaited.was_late and not was_late else []
        if late:
            report(
                f"what is captured of run {self._log.name!r} ({', '.join(late)}) takes long: its end does not wait for "
                "that, and what is found later is added to the run"
            )

    def drain(self) -> None:
        """Wait until observers know what is in the log now."""
        if self._follower is not None:
            self._follower.drain(time.monotonic() + END_S)

    def settle(self) -> None:
        """Write what belongs into the log before its end."""
        for action in self.before_end:
            action()
        self._until = time.monotonic() + END_S
        process.part(_Shared).sampler.forget(self._log)
        if self._log.writer is not None:
            self._log.writer.look()
        if self._output is not None:
            self._keep_output(self._output)
        self.await_captures(self._left())
        with self._lock:
            self._settled = True
        self._look_again()
        self._replace_removed()
        if self._follower is not None:
            self._follower.drain(self._until)
        for plugin, (count, first) in (self._follower.failures if self._follower is not None else {}).items():
            times = "once" if count == 1 else f"{count} times"
            self._log.missing(f"what plugin {plugin!r} does with a run", f"it failed {times}, first: {first}")

    def end(self, *, wait: bool = True) -> None:
        """Let observers go, once the end is in the log; what they raise then is added to the run."""
        if self._follower is None:
            return
        self._follower.close(self._until if wait else None)
        if self._follower.end_failures:
            added = self._log.reopened()
            for plugin, why in self._follower.end_failures.items():
                added.missing(f"what plugin {plugin!r} does with the end of a run", why)
            added.close()

    def _left(self) -> float:
        """Return how many seconds the end of the run may still wait."""
        return max(0.0, self._until - time.monotonic())

    def _look_again(self) -> None:
        """Record the code that came to run since the captures."""
        _, code = process.part(_Shared).captures
        for first in self.taken:
            if first.what == code.what:
                late = code.again(first, max(MIN_LATE_S, self._left()))
                self._record(late, self._kept(late, self._log) if late.found else [], self._log)

    def _replace_removed(self) -> None:
        """Keep what was captured again, if the store was removed meanwhile, and write which contents are gone."""
        log = self._log
        if log.writer is None or not log.writer.was_removed:
            return
        with suppress(OSError):
            for capture in self.taken:
                capture.events(log.blobs)
        from runlore.log.record import read_record

        gone = []
        for item in read_record(log.folder, log.id)[0].artifacts:
            hashes = [member[2] for member in item["files"]] if "files" in item else [item.get("sha256")]
            if item.get("stored") and not all(map(log.blobs.holds, filter(None, hashes))):
                gone.append(item["sha256"])
        if gone:
            log.event({"type": "dropped", "sha256": gone, "why": "the store was removed while the run was recorded"})

    def _record_capture(self, capture: Capture) -> None:
        """Record a capture; where it took longer than the run has waited, add it to the run, if that is still there."""
        kept = self._kept(capture, self._log)  # which takes longest: the run that ends waits for the lock
        with self._lock:
            if not self._settled:
                self.taken.append(capture)
                self._record(capture, kept, self._log)
                return
        with suppress(OSError):
            if self._log.is_of_this_process and self._log.folder.files_of(self._log.id):
                added = self._log.reopened()
                self._record(capture, self._kept(capture, added), added)
                added.event({"type": "found", "what": capture.what})
                added.close()

    def _kept(self, capture: Capture, log: RunLog) -> "list[Event] | OSError":
        """Keep the contents of a capture in a run's store; return its events, or why that was not possible."""
        try:
            return capture.events(log.blobs)
        except OSError as error:
            return error

    def _record(self, capture: Capture, kept: "list[Event] | OSError", log: RunLog) -> None:
        if isinstance(kept, OSError):
            log.missing("what was captured", kept.strerror or str(kept))
        else:
            for event in kept:
                log.event(event, masked=event["type"] == "environment")
        for item in capture.missing:
            log.missing(item["what"], item["why"])

    def _follow(self) -> "Follower | None":
        from runlore.recording.observing import Follower

        log = self._log
        opening = log.opened
        where = (opening.get("experiment", ""), opening.get("parent"), log.folder.root)
        info = RunInfo(log.id, str(opening.get("name", log.name)), *where, id_time(log.id) / 1e6)
        try:
            assert log.writer is not None
            return Follower(plugins(), info, log.writer.path, starts=opening["mode"] != "attach")
        except (OSError, RuntimeError) as error:  # no log to read, or no thread to be had
            report(f"nobody can observe run {log.name!r}: {error}")
            return None

    def _record_output(self) -> "Output | None":
        from runlore.recording.output import Output

        try:
            assert self._log.writer is not None
            return Output(self._log.writer.path.with_suffix(".out"), plugins().rewrite_file)
        except Exception as error:  # the streams may be anybody's
            self._log.missing("output", f"{type(error).__name__}: {error}")
            return None

    def _keep_output(self, output: "Output") -> None:
        self._output = None
        try:
            content = output.stop()
            masked = len(content) > MAX_AGAIN_BYTES
            self._log.keep_bytes(content, name=output.name, kind="log", masked=masked)
            output.remove()
        except OSError as error:
            output.missing.append(error.strerror or str(error))
        for why in dict.fromkeys(output.missing):
            self._log.missing("output", why)
