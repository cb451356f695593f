"""`runlore show`: everything about one run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from runlore._text import (
    ago_text,
    as_time,
    duration_text,
    line_text,
    number_text,
    one_line,
    size_text,
    spark_text,
    status_text,
    visible_text,
)
from runlore.analysis.ranking import by_use, is_aside
from runlore.artifacts.artifact import Artifact
from runlore.cli.options import RunPart, json_option, store_option
from runlore.cli.printing import STATUS_STYLES, console, echo, grid, print_json, print_whole
from runlore.documents import run_details, script_document
from runlore.hookspecs import SYSTEM_PREFIX
from runlore.log.values import text_of
from runlore.plugins.code import UNTRACKED
from runlore.provenance.hashing import complete_run
from runlore.store.details import Note
from runlore.store.models import versions_of
from runlore.store.runs import RecordedRun
from runlore.store.segments import ParamChange, changed_params
from runlore.store.store import open_store

T = TypeVar("T")

MAX_ROWS = 30  # of a section; --full shows all
MAX_GONE = 3  # removed checkpoints that still have rows of their own
MAX_CURVE_POINTS = 2_000_000  # of a metric that is drawn as a curve
ID_DIGITS = 6  # of another run
HASH_DIGITS = 8  # of an artifact
FINGERPRINT_DIGITS = 12  # of a dataset; `which-run` takes them
NAME_CHARS = 40  # of an artifact
ROLE_CHARS = 40  # of all its roles together
KEY_CHARS = 46  # of a list of facts
VALUE_CHARS = 400  # likewise


@click.command()
@click.argument("run", type=RunPart())
@click.option("--full", is_flag=True, help="Every param, child, package and note, and values uncut.")
@click.option("--source", is_flag=True, help="Only the source of its script, as it ran.")
@json_option
@store_option
def show(run: str, full: bool, source: bool, as_json: bool, store: str | None) -> None:
    """Show one run in full.

    RUN is its name or any unique part of its id.
    """
    found = complete_run(open_store(store).run(run))
    if source:
        from runlore.provenance.script import script_of  # only here, as it takes long to import

        _print_source(script_document(script_of(found)), as_json)
        return
    if as_json:
        print_json(run_details(found))
        return
    out = console()
    _Page(found, out, None if full else MAX_ROWS).print()


def _print_source(document: dict[str, Any], as_json: bool) -> None:
    """Print the source of a script, and on stderr what may have been different."""
    if as_json:
        print_json(document)
        return
    if document["text"] is None:
        raise click.ClickException(f"the script can't be shown: {document['why']}")
    for note in document["notes"]:
        echo(f"runlore: {note}", err=True)
    text = visible_text(document["text"].replace("\r\n", "\n").expandtabs())
    console().print(escape(text), soft_wrap=True, end="")


def _extent(facts: dict[str, Any]) -> Iterator[str]:
    """Describe the size of a dataset and the types in it."""
    shape, rows, dtypes = facts.get("shape"), facts.get("rows"), facts.get("dtypes")
    if shape is not None:
        yield (" × ".join(map(str, shape)) if isinstance(shape, list) else str(shape)) or "a single value"
    elif rows is not None:
        yield f"{rows:,} rows" if isinstance(rows, int | float) else f"{rows} rows"
    if dtypes:
        yield ", ".join(dict.fromkeys(map(str, dtypes))) if isinstance(dtypes, list) else str(dtypes)
    if facts.get("batch_size"):
        yield f"batches of {facts['batch_size']}"


def _state(item: Artifact) -> str:
    """Say where the content of a file is: kept, lost by the store, on disk, changed or gone."""
    if item.stored:
        return "kept" if item.is_kept else "lost"
    path = Path(item.path) if item.present and item.path else None
    if path is None or not path.exists():
        return "gone"
    known = item.sha256 is not None and not item.is_folder  # a file that is still growing has no hash
    return "changed" if known and path.stat().st_size != item.size else "on disk"


def _artifact_row(item: Artifact, state: str, scored: str | None) -> Iterator[str]:
    """Yield the cells of a file; `scored` is the metric that has a column of its own, if any."""
    yield "  " + escape(line_text(item.name, NAME_CHARS))
    yield "code not in git" if (item.kind, item.name) == ("code", UNTRACKED) else escape(line_text(item.kind, 12))
    yield size_text(item.size)
    yield (item.sha256 or "–")[:HASH_DIGITS]
    yield "–" if item.step is None else str(item.step)
    if scored:
        yield "" if item.value is None or item.monitor != scored else number_text(item.value)
    yield escape(line_text(", ".join(item.roles), ROLE_CHARS))
    yield state


def _by_use(artifacts: list[Artifact]) -> list[tuple[Artifact, str]]:
    """Sort files, each with its state: those with a role first, then those that can be restored, else as written."""
    return sorted(((item, _state(item)) for item in artifacts), key=lambda item: (not item[0].roles, item[1] == "gone"))


def _change(key: str, change: ParamChange) -> str:
    return f"{key} {'–' if change.before is None else text_of(change.before)} → {text_of(change.after)}"


def _parent(run: RecordedRun) -> str:
    if run.parent_id is None:
        return ""
    parent = run.parent
    return f"{parent.name} ({parent.id})" if parent else run.parent_id


def _note_text(number: int, note: Note) -> str:
    """Return a note with its number, time and author above it."""
    told = f"{number}: {_signed(note.time, note.user)}"
    if note.edited is not None:
        told += f", edited {_signed(note.edited, note.editor)}"
    return f"[dim]{told}[/]\n{escape(visible_text(note.text))}"


def _signed(moment: datetime, user: str | None) -> str:
    who = "" if user is None else f", {escape(line_text(user, NAME_CHARS))}"
    return f"{moment:%Y-%m-%d %H:%M} UTC{who}"


class _Page:
    """Prints a run section by section, each with up to `max_rows` rows (None: all); leaves out empty sections."""

    def __init__(self, run: RecordedRun, out: Console, max_rows: int | None) -> None:
        self.run = run
        self.out = out
        self.max_rows = max_rows

    def print(self) -> None:
        self._head()
        self._error()
        self._segments()
        self._metrics()
        self._summary()
        self._params()
        self._data()
        self._artifacts()
        self._media()
        self._children()
        self._environment()
        notes = [_note_text(place, note) for place, note in enumerate(self.run.notes, 1)]
        for title, lines in (("notes", notes), ("missing", self._missing())):
            self._title(title, len(lines))
            for line in self._cut(lines):
                self.out.print(Padding(line, (0, 0, 0, 2)))
            self._more(len(lines))

    def _head(self) -> None:
        run = self.run
        style = STATUS_STYLES.get(run.status, "default")
        self.out.print(
            f"[bold]{escape(one_line(run.name))}[/]  [{style}]{escape(status_text(run.status, run.ended))}[/]"
        )
        facts = {
            "id": run.id,
            "experiment": run.experiment,
            "started": f"{run.started:%Y-%m-%d %H:%M:%S} UTC ({ago_text(run.started)})",
            "took": self._took(),
            "command": " ".join(run.command.get("argv") or []),
            "folder": run.command.get("cwd") or "",
            "host": run.command.get("host") or "",
            "parent": _parent(self.run),
            "tags": ", ".join(f"{key}={value}" for key, value in run.tags.items()),
            "links": self._links(),
            "models": ", ".join(version.title for version in versions_of(run.store, [run.id])[run.id]),
        }
        self._pairs({key: value for key, value in facts.items() if value})

    def _links(self) -> str:
        """Describe the links: the kind of each, the other run and the step."""
        links = self._cut(self.run.links)
        names = {
            run.id: f"{run.name} ({run.id[-ID_DIGITS:]})" for run in self.run.store.known([x["run"] for x in links])
        }
        told = []
        for link in links:
            step = f" at step {link['step']}" if "step" in link else ""
            told.append(f"{link['kind']} {names.get(link['run'], link['run'])}{step}")
        more = len(self.run.links) - len(links)
        return ", ".join(told) + (f" and {more} more" if more else "")

    def _metrics(self) -> None:
        metrics = sorted(self.run.metrics.values(), key=lambda series: series.key.startswith(SYSTEM_PREFIX))
        self._title("metrics", len(metrics))
        if not metrics:
            return
        table = grid(["metric", "last", "step", "min", "max", "points", "curve"], right=(1, 2, 3, 4, 5))
        for series in self._cut(metrics):
            curve = spark_text(series.values.tolist(), 16) if 1 < series.count < MAX_CURVE_POINTS else ""
            last, low, high = (number_text(value) for value in (series.last, series.min, series.max))
            numbers = [last, str(series.last_step), low, high, str(series.count)]
            table.add_row("  " + escape(line_text(series.key, 40)), *numbers, curve)
        print_whole(table)
        self._more(len(metrics))

    def _summary(self) -> None:
        found = self.run.summary
        self._title("summary", len(found))
        self._pairs({key: number_text(item) for key, item in found.items()})

    def _params(self) -> None:
        params = by_use(self.run.params, self.run.captured)
        self._title("params", len(params))
        self._pairs({key: text_of(params[key]) for key in self._cut(list(params))})
        self._more(len(params))

    def _data(self) -> None:
        self._title("data", len(self.run.data))
        lines = {}
        for name, facts in self.run.data.items():
            line = ", ".join([str(facts.get("kind", "?")), *_extent(facts)])
            if facts.get("missing"):
                line += f", {facts['missing']} missing"
            if facts.get("classes"):
                line += f", classes {facts['classes']}"
            if facts.get("fingerprint"):
                sampled = " of a sample" if facts.get("sampled") else ""
                line += f", fingerprint{sampled} {str(facts['fingerprint'])[:FINGERPRINT_DIGITS]}"
            lines[name] = line
        self._pairs(lines)

    def _artifacts(self) -> None:
        artifacts = [item for item in self.run.artifacts if self.max_rows is None or not item.media]
        self._title("artifacts", len(artifacts))
        if not artifacts:
            return
        shown = _by_use(artifacts)
        kept = [(item, state) for item, state in shown if state != "gone" or item.roles or item.kind != "checkpoint"]
        gone = len(shown) - len(kept)
        if self.max_rows is not None and gone > MAX_GONE:
            shown = kept
        scored = next((item.monitor for item in artifacts if item.value is not None), None)
        values = [escape(line_text(scored, 16))] if scored else []
        heads = ["name", "kind", "size", "sha256", "step", *values, "role", "state"]
        table = grid(heads, right=(2, 4, 5) if scored else (2, 4))
        for item, state in self._cut(shown):
            table.add_row(*_artifact_row(item, state, scored))
        print_whole(table)
        for item, state in self._cut(shown):
            if state == "on disk":
                name, path = line_text(item.name, NAME_CHARS), one_line(item.path or "")
                self.out.print(f"  [dim]{escape(name)} is at {escape(path)}[/]")
        self._more(len(shown))
        if len(shown) < len(artifacts):
            self.out.print(f"  [dim]{gone} checkpoints were written and removed again (--full lists them)[/]")

    def _media(self) -> None:
        """Print a line for each key of media; in full they are listed as the artifacts that they are."""
        keys: dict[str, list[Artifact]] = {}
        for item in self.run.artifacts if self.max_rows is not None else ():
            if item.media:
                keys.setdefault(item.media, []).append(item)
        self._title("media", len(keys))
        if not keys:
            return
        table = grid(["key", "kind", "records", "steps", "size"], right=(2, 4))
        for key in self._cut(sorted(keys)):
            items = keys[key]
            steps = sorted(item.step for item in items if item.step is not None)
            between = "–" if not steps else str(steps[0]) if steps[0] == steps[-1] else f"{steps[0]} to {steps[-1]}"
            size = size_text(sum(item.size or 0 for item in items))
            kind = escape(line_text(items[-1].kind, 12))
            table.add_row("  " + escape(line_text(key, NAME_CHARS)), kind, str(len(items)), between, size)
        print_whole(table)
        self._more(len(keys))

    def _segments(self) -> None:
        segments = self.run.segments
        if len(segments) < 2:
            return
        self._title("segments", len(segments))
        differ = len({item.argv for item in segments}) > 1
        for before, segment in zip((None, *segments), segments, strict=False):
            began = as_time(segment.started)
            took = "" if segment.ended is None else f" after {duration_text((segment.ended - segment.started) / 1e6)}"
            parts = [f"{began:%Y-%m-%d %H:%M:%S} UTC", segment.status + took]
            parts += [] if segment.from_step is None else [f"from step {segment.from_step}"]
            parts += [segment.error] if segment.error else []
            parts += [" ".join(segment.argv)] if differ else []
            self.out.print("  " + escape(line_text(", ".join(parts), VALUE_CHARS)), soft_wrap=True)
            changes = {} if before is None else by_use(changed_params(before, segment), self.run.captured)
            for key in self._cut(list(changes)):
                self.out.print("    " + escape(line_text(_change(key, changes[key]), VALUE_CHARS)), soft_wrap=True)
            self._more(len(changes))

    def _took(self) -> str:
        run = self.run
        if run.duration is None:
            so_far = duration_text((datetime.now(UTC) - run.started).total_seconds()) + " so far"
            return so_far if run.status == "running" else ""
        if len(run.segments) < 2 or run.ended is None:
            return duration_text(run.duration)
        whole = duration_text((run.ended - run.started).total_seconds())
        return f"{duration_text(run.duration)} in {len(run.segments)} segments, {whole} from first to last"

    def _children(self) -> None:
        children = list(self.run.children)
        self._title("children", len(children))
        if not children:
            return
        varying = [
            key
            for key in dict.fromkeys(key for child in children for key in by_use(child.params, child.captured))
            if len({repr(child.params.get(key)) for child in children}) > 1
        ][:3]
        keys = sorted(dict.fromkeys(key for child in children for key in child.metrics), key=is_aside)[:2]
        table = grid(["name", "status", *map(escape, keys), *map(escape, varying)], right=range(2, 2 + len(keys)))
        for child in self._cut(children):
            numbers = [number_text(child.metrics[key].last) if key in child.metrics else "" for key in keys]
            values = [escape(line_text(str(child.params.get(key, "")), 24)) for key in varying]
            table.add_row("  " + escape(line_text(child.name, 28)), child.status, *numbers, *values)
        self.out.print(table)
        self._more(len(children))

    def _environment(self) -> None:
        environment = self.run.environment
        self._title("environment", len(environment))
        lines = {}
        for section, values in environment.items():
            if section == "packages" and self.max_rows is not None:
                lines[section] = f"{len(values)} packages (--full lists them)"
            else:
                shown = {key: text_of(value) for key, value in values.items() if value not in (None, "")}
                lines[section] = ", ".join(f"{key} {value}" for key, value in shown.items())
        self._pairs(lines)

    def _missing(self) -> list[str]:
        return [escape(visible_text(f"{item['what']}: {item['why']}")) for item in self.run.missing]

    def _error(self) -> None:
        error = self.run.error
        if error:
            self.out.print(f"\n[bold red]{escape(one_line(error.get('type') or 'error'))}[/]", end="")
            message = visible_text(error.get("message") or "")
            self.out.print(escape(f": {message}" if message else ""), soft_wrap=True)
            self.out.print(escape(visible_text(error.get("traceback") or "")), soft_wrap=True, end="")

    def _title(self, title: str, count: int) -> None:
        if count:
            self.out.print(f"\n[bold]{title}[/]")

    def _pairs(self, pairs: dict[str, str]) -> None:
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(style="dim", no_wrap=True, max_width=KEY_CHARS)
        table.add_column(overflow="fold")
        for key, value in pairs.items():
            text = visible_text(value) if self.max_rows is None else line_text(value, VALUE_CHARS)
            table.add_row("  " + escape(line_text(key, KEY_CHARS)), escape(text))
        if pairs:
            self.out.print(table)

    def _cut(self, items: list[T]) -> list[T]:
        return items if self.max_rows is None else items[: self.max_rows]

    def _more(self, count: int) -> None:
        if self.max_rows is not None and count > self.max_rows:
            self.out.print(f"  [dim]… and {count - self.max_rows} more (--full shows all)[/]")
