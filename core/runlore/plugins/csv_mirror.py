"""The built-in observer that mirrors runs as CSV files, where a setting names a folder for them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._settings import setting
from runlore.hookspecs import LoggedEvent, LoggedPoints, RunInfo, hookimpl
from runlore.log.values import text_of

COLUMNS = ("time", "step", "epoch", "split", "key", "value")


class CsvMirror:
    """Writes `<folder>/<name>-<id>/metrics.csv`, a row per point, and `params.csv` beside it.

    Rows are appended while a run lasts; the files lag at most a second behind it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @hookimpl
    def runlore_run_started(self, run: RunInfo) -> None:
        """Make the folder of the run, and its file `status`."""
        self._place(run).joinpath("status").write_text("running\n", encoding="utf-8")

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        """Append the points, in the order of steps."""
        rows = [
            (f"{time:.6f}", step, "" if epoch is None else epoch, item.split or "", item.key, value)
            for item in points
            for time, step, epoch, value in zip(item.times, item.steps, item.epochs, item.values, strict=True)
        ]
        self._append(run, "metrics.csv", COLUMNS, rows)

    @hookimpl
    def runlore_events_logged(self, run: RunInfo, events: Sequence[LoggedEvent]) -> None:
        """Append params; of two rows with one key the later one counts."""
        rows = [
            (key, text_of(value))
            for event in events
            if event.type == "params"
            for key, value in event.values["values"].items()
        ]
        if rows:
            self._append(run, "params.csv", ("key", "value"), rows)

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str, error: Mapping[str, Any] | None) -> None:
        """Write how the run ended into the file `status`."""
        self._place(run).joinpath("status").write_text(f"{status}\n", encoding="utf-8")

    def _append(self, run: RunInfo, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        import csv

        path = self._place(run) / name
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            if not file.tell():
                writer.writerow(columns)
            writer.writerows(rows)

    def _place(self, run: RunInfo) -> Path:
        readable = "".join(char if char.isalnum() or char in "-_." else "-" for char in run.name)[:60].strip(".")
        place = self._folder / f"{readable}-{run.id}"
        place.mkdir(parents=True, exist_ok=True)
        return place


def plugin() -> CsvMirror | None:
    """Return the observer; None where the setting `csv` names no folder."""
    folder = setting("csv")
    return CsvMirror(Path(folder).expanduser().absolute()) if folder else None
