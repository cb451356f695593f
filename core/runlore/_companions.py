"""What goes along with a run while it is written: captures, observers, output, measurements; present where wanted."""

import time
from typing import TYPE_CHECKING

from runlore import _capture
from runlore._blobs import Blobs
from runlore._capture import Awaited, Capture
from runlore._process import process
from runlore._settings import flag
from runlore._writer import report
from runlore.errors import SettingError

if TYPE_CHECKING:
    from runlore._follow import Follower
    from runlore._output import Output
    from runlore._run import Run


class Companions:
    """Begins, settles and ends with the run; nothing here raises into training."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        self.taken: list[Capture] = []  # what was captured for this run
        self._awaited: list[Awaited] = []
        self._follower: Follower | None = None
        self._output: Output | None = None

    def begin(self, like: "Run | None" = None) -> None:
        """The run's log was opened. One that is `like` another was captured with it."""
        run = self._run
        if run._writer is None:
            return
        if process.plugins().observed:
            self._follower = self._follow()
        if run._opening["mode"] == "attach":
            return
        if like is not None:
            for capture in like._companions.taken:
                self._take_capture(capture)
        else:
            started = [captures.start(self._take_capture) for captures in process.captures]
            self._awaited = [awaited for awaited in started if awaited is not None]
        if run._opening.get("parent") is None:  # what a child prints and uses is its parent's
            process.sampler.watch(run)
            if _wants_output():
                self._output = self._record_output()

    def await_captures(self) -> None:
        """Wait for what is being captured; say in the run what took too long."""
        until = time.monotonic() + _capture.TIMEOUT
        for awaited in self._awaited:
            if not awaited.wait(until):
                self._run.log_missing(awaited.what, f"not known {_capture.TIMEOUT:.0f} s after the end")

    def settle(self) -> None:
        """The run is about to end: what belongs into its log is written now."""
        process.sampler.forget(self._run)
        if self._output is not None:
            self._keep_output(self._output)
        self.await_captures()
        if self._follower is not None:
            self._follower.drain()
            for plugin, (count, first) in self._follower.failures.items():
                times = "once" if count == 1 else f"{count} times"
                self._run.log_missing(f"what plugin {plugin!r} does with a run", f"it failed {times}, first: {first}")

    def end(self) -> None:
        """The end is in the log."""
        if self._follower is not None:
            self._follower.close()

    def _take_capture(self, capture: Capture) -> None:
        run = self._run
        if run.ended:
            return  # it took longer than the run waits
        self.taken.append(capture)
        try:
            for event in capture.events(Blobs(run._folder.blobs)):
                run._event(event, masked=event["type"] == "environment")
        except OSError as error:
            run.log_missing("what was captured", error.strerror or str(error))
        for item in capture.missing:
            run.log_missing(item["what"], item["why"])

    def _follow(self) -> "Follower | None":
        from runlore._follow import Follower
        from runlore._ids import id_time
        from runlore.hookspecs import RunInfo

        run = self._run
        opening = run.opened
        where = (opening.get("experiment", ""), opening.get("parent"), run._folder.root)
        info = RunInfo(run.id, str(opening.get("name", run.name)), *where, id_time(run.id) / 1e6)
        try:
            assert run._writer is not None
            return Follower(process.plugins(), info, run._writer.path, starts=opening["mode"] != "attach")
        except (OSError, RuntimeError) as error:  # no log to read, or no thread to be had
            report(f"nobody can observe run {run.name!r}: {error}")
            return None

    def _record_output(self) -> "Output | None":
        from runlore._output import Output

        try:
            assert self._run._writer is not None
            return Output(self._run._writer.path.with_suffix(".out"), process.plugins().rewrite_file)
        except Exception as error:  # the streams may be anybody's
            self._run.log_missing("output", f"{type(error).__name__}: {error}")
            return None

    def _keep_output(self, output: "Output") -> None:
        self._output = None
        try:
            content = output.stop()
            self._run.log_bytes(content, name=output.name, kind="log")
            output.remove()
        except OSError as error:
            output.missing.append(error.strerror or str(error))
        for why in dict.fromkeys(output.missing):
            self._run.log_missing("output", why)


def _wants_output() -> bool:
    try:
        return flag("output")
    except SettingError as error:
        report(str(error))
        return False
