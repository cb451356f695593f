"""Two plugins: one observes runs, one rewrites what is recorded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore import hookimpl
from runlore.hookspecs import LoggedPoints, RunInfo


class Journal:
    """Keeps a page in the store's folder: a line for every run that has ended, with its last loss."""

    def __init__(self) -> None:
        self._losses: dict[str, float] = {}  # by run

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        """Remember the last loss."""
        for item in points:
            if item.key == "loss":
                self._losses[run.id] = item.values[-1]

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str) -> None:
        """Write the line."""
        loss = self._losses.pop(run.id, None)
        with (run.store / "journal.txt").open("a") as page:
            page.write(f"{run.name} {status} {'-' if loss is None else format(loss, '.4f')}\n")


class ShortPaths:
    """Writes `~` for the user's home, so that a store that is shared does not tell who ran what."""

    def __init__(self, home: Path | None = None) -> None:
        self._home = str(home or Path.home())

    @hookimpl
    def runlore_rewrite_event(self, event: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The opening event names the folder and the command."""
        if event["type"] != "open":
            return None
        argv = [part.replace(self._home, "~") for part in event["argv"]]
        return {**event, "cwd": (event["cwd"] or "").replace(self._home, "~"), "argv": argv}


def journal() -> Journal:
    """The entry point."""
    return Journal()


def short_paths() -> ShortPaths:
    """The entry point."""
    return ShortPaths()
