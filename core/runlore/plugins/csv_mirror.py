"""The built-in observer that mirrors runs as CSV files, where a setting names a folder for them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore._settings import expanded, flag, setting
from runlore._streams import open_beside_streams
from runlore._text import cell_text
from runlore.hookspecs import LoggedEvent, LoggedPoints, RunInfo, hookimpl
from runlore.log.values import text_of

COLUMNS = ("time", "step", "epoch", "split", "key", "value")


class CsvMirror:
    """Writes `<folder>/<name>-<id>/metrics.csv`, a row per point, and `params.csv` beside it.

    Rows are appended while a run lasts; the files lag at most a second behind it. An apostrophe stands before a text
    that a spreadsheet would take for a formula, unless `exact`.
    """

    def __init__(self, folder: Path, *, exact: bool = False) -> None:
        self._folder = folder
        self._text: Callable[[str], str] = str if exact else cell_text

    @hookimpl
    def runlore_run_started(self, run: RunInfo) -> None:
        """Make the folder of the run, and its file `status`."""
        self._tell(run, "running")

    @hookimpl
    def runlore_points_logged(self, run: RunInfo, points: Sequence[LoggedPoints]) -> None:
        """Append the points, in the order of steps."""
        rows: list[Sequence[Any]] = []
        for item in points:
            split, key = self._text(item.split or ""), self._text(item.key)
            columns = zip(item.times, item.steps, item.epochs, item.values, strict=True)
            rows += [
                (f"{time:.6f}", step, "" if epoch is None else epoch, split, key, value)
                for time, step, epoch, value in columns
            ]
        self._append(run, "metrics.csv", COLUMNS, rows)

    @hookimpl
    def runlore_events_logged(self, run: RunInfo, events: Sequence[LoggedEvent]) -> None:
        """Append params; of two rows with one key the later one counts."""
        rows = [
            (self._text(key), self._text(text_of(value)))
            for event in events
            if event.type == "params"
            for key, value in event.values["values"].items()
        ]
        if rows:
            self._append(run, "params.csv", ("key", "value"), rows)

    @hookimpl
    def runlore_run_finished(self, run: RunInfo, status: str, error: Mapping[str, Any] | None) -> None:
        """Write how the run ended into the file `status`."""
        self._tell(run, status)

    def _tell(self, run: RunInfo, status: str) -> None:
        with open(self._place(run) / "status", "w", encoding="utf-8", opener=open_beside_streams) as file:  # noqa: PTH123
            file.write(f"{status}\n")

    def _append(self, run: RunInfo, name: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        import csv

        path = self._place(run) / name
        with open(path, "a", newline="", encoding="utf-8", opener=open_beside_streams) as file:  # noqa: PTH123
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
    return CsvMirror(expanded(folder).absolute(), exact=flag("csv_exact")) if folder else None
