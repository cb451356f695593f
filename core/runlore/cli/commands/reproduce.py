"""`runlore reproduce`: do a run again, and say how far it came out the same."""

import os
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from runlore._text import count_text, line_text, number_text, one_line
from runlore.analysis.comparison import compare
from runlore.cli.comparison import print_comparison
from runlore.cli.options import RunPart, json_option, options_as, store_option
from runlore.cli.printing import console, echo, grid, print_json
from runlore.documents import reproduction_document
from runlore.reproduction.paths import make_folder
from runlore.reproduction.plan import CannotReproduce, Plan
from runlore.reproduction.reproduce import Redone, carry_out, distrust, prepare, unexpected
from runlore.reproduction.verdicts import MODELS, TOLERANCE, Outcome, Verdict, judge, overall
from runlore.store.runs import RecordedRun
from runlore.store.store import Store, open_store

STATUS_DIFFERENT = 3  # exit status
STATUS_INTERRUPTED = 130  # exit status, as in shells
PLACE_VARIABLES = ("PATH", "VIRTUAL_ENV")  # that only name the place of the environment: not shown
TITLE_CHARS = 13
NAME_CHARS = 40  # of a run
MAX_LINES = 10  # of a list; --full shows all
FOLDER = click.Path(file_okay=False, path_type=Path)


class Brought(click.ParamType):  # type: ignore[type-arg]
    """PATH, or PLACE=PATH for a file that the run needs at another place."""

    name = "[place=]path"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Path]:
        """Return the place, and the path of the file or folder that is needed there."""
        place, sep, path = value.partition("=")
        return (value, Path(value)) if not sep or Path(value).exists() else (place, Path(path))


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `runlore reproduce`."""

    run: str
    command: tuple[str, ...]
    dry_run: bool
    here: bool
    force: bool
    trust: bool
    copied: tuple[tuple[str, Path], ...]
    linked: tuple[tuple[str, Path], ...]
    to: Path | None
    tolerance: float
    full: bool
    as_json: bool
    store: str | None


@click.command()
@click.argument("run", type=RunPart())
@click.argument("command", metavar="[-- COMMAND…]", nargs=-1, type=click.UNPROCESSED)
@click.option("--dry-run", is_flag=True, help="Print the plan, run nothing, leave nothing behind.")
@click.option("--here", is_flag=True, help="Use the Python and the packages that are here, and say what differs.")
@click.option("--force", is_flag=True, help="Go on although something can't be restored.")
@click.option("--trust", is_flag=True, help="Run code that somebody else may have recorded.")
@click.option("--with", "copied", multiple=True, type=Brought(), help="Copy a file or folder that git does not have.")
@click.option("--link", "linked", multiple=True, type=Brought(), help="Link to it instead, if it is large.")
@click.option("--to", type=FOLDER, help="A new folder to run it in [default: a temporary one, which is kept].")
@click.option("--tolerance", type=click.FloatRange(min=0), default=TOLERANCE, show_default=True, help="Relative.")
@click.option("--full", is_flag=True, help="Every package, metric and change.")
@json_option
@store_option
@options_as(Options)
def reproduce(options: Options) -> None:
    """Do a run again: its code, packages, data and command, in a fresh folder.

    Ends with a verdict: bit-identical, within the tolerance, or different (exit status 3), and then why. Your files
    stay as they are. What can't be restored is told first, and --force goes on. A COMMAND replaces the recorded one.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # end the processes that we started, too
    run = open_store(options.store).run(options.run)
    reason = distrust(run)
    if reason is not None and not options.trust and not options.dry_run:
        raise CannotReproduce(f"{reason}: --trust runs its code all the same, --dry-run shows what that would be")
    with _folder(run, options.to, options.dry_run) as (folder, keep):
        plan = prepare(
            run, folder, here=options.here, copied=dict(options.copied), linked=dict(options.linked),
            command=options.command, look=options.trust or reason is None,
        )  # fmt: skip
        if not options.as_json:
            _print_plan(plan, console(), full=options.full)
        if options.dry_run or (plan.problems and not options.force):
            if options.as_json:
                print_json(reproduction_document(plan))
            if not options.dry_run:
                raise CannotReproduce("not everything can be restored: --force goes on with what can")
            return
        into = Store(run.store.root if os.access(run.store.root, os.W_OK) else folder / "store")
        redone = carry_out(plan, into, to_stderr=options.as_json)
        keep()
    sys.exit(_conclude(plan, redone, options))


def _conclude(plan: Plan, redone: Redone, options: Options) -> int:
    """Print the verdict; return the exit status."""
    if redone.exit_status and not redone.interrupted:
        echo(f"the command ended with exit status {redone.exit_status}", err=True)
    if not redone.pairs and not redone.interrupted:
        raise CannotReproduce(_why_nothing(plan, redone, options.full))
    verdicts = [judge(first, again, options.tolerance, plan.places.as_then) for first, again in redone.pairs]
    if options.as_json:
        print_json(reproduction_document(plan, redone, verdicts))
    else:
        _print_outcome(plan, redone, verdicts, console(), full=options.full)
    if redone.interrupted:
        return STATUS_INTERRUPTED
    level = overall(verdicts, redone.lacking)
    return {"different": STATUS_DIFFERENT, "nothing to compare": 1}.get(level, 0)


@contextmanager
def _folder(run: RecordedRun, to: Path | None, dry_run: bool) -> Iterator[tuple[Path, Callable[[], object]]]:
    """Make the folder to run in, and a function that keeps it; it is removed afterwards if that was not called."""
    if to is not None and to.exists() and (not to.is_dir() or any(to.iterdir())):
        raise CannotReproduce(f"{str(to)!r} is not empty: name a folder that is not there yet")
    kept: list[bool] = []
    prefix = f"runlore-{re.sub(r'[^a-zA-Z0-9-]', '-', run.name)[:NAME_CHARS]}-"
    folder = make_folder(prefix) if to is None or dry_run else to
    try:
        yield folder, lambda: kept.append(True)
    finally:
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def _why_nothing(plan: Plan, redone: Redone, full: bool) -> str:
    lines = [f"the command recorded no run that stands for {plan.run.name!r}; it ran in {str(plan.cwd)!r}"]
    if redone.others:
        lines.append(f"it recorded {', '.join(run.name for run in redone.others[:MAX_LINES])}")
    if redone.exit_status:
        lines += plan.notes
        lines += [f"{line}: leave out --here to have it as it was" for line in _some(plan.differs, full)]
    return "\n  ".join(lines)


def _print_plan(plan: Plan, out: Console, *, full: bool) -> None:
    shown = [
        f"{name}={value}" for name, value in plan.settings.items() if value is not None and name not in PLACE_VARIABLES
    ]
    unset = [f"without {name}" for name, value in plan.settings.items() if value is None]
    rows = {
        "code": [plan.code],
        "environment": [plan.environment, *_some(plan.differs, full)],
        "data": _some([" ".join(filter(None, (f"{item.name}:", item.path, item.state))) for item in plan.data], full),
        "variables": [", ".join(shown + unset)] if shown or unset else [],
        "command": [shlex.join(plan.command)] if plan.command else [],
        "in": [str(plan.cwd)],
        "note": plan.notes,
    }
    out.print(f"[bold]{escape(line_text(plan.run.name, 60))}[/] again", soft_wrap=True)
    for title, lines in rows.items():
        _print_lines(out, title, lines)
    for title, problems in groupby(plan.problems, key=lambda problem: problem.part):
        out.print(f"[red]{title} that can't be restored:[/]")
        for problem in problems:
            out.print("  " + escape(one_line(problem.what)), soft_wrap=True)
    sys.stdout.flush()


def _print_lines(out: Console, title: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        head = f"[dim]{title if number == 0 else '':{TITLE_CHARS}}[/]"
        out.print(f"  {head}{escape(one_line(line))}", soft_wrap=True)


def _some(lines: list[str], full: bool) -> list[str]:
    """Return the first lines, and how many more there are."""
    more = len(lines) - MAX_LINES
    return lines if full or more <= 0 else [*lines[:MAX_LINES], f"… and {more} more (--full shows all)"]


def _print_outcome(plan: Plan, redone: Redone, verdicts: Sequence[Verdict], out: Console, *, full: bool) -> None:
    if redone.interrupted:
        out.print("[yellow]interrupted[/]: what follows compares only how far it came")
    for problem in plan.problems:
        out.print(f"[yellow]not as it was[/]: {problem.part}: {escape(one_line(problem.what))}", soft_wrap=True)
    for (first, again), verdict in zip(redone.pairs, verdicts, strict=True):
        _print_verdict(plan, first, again, verdict, out, full=full)
    if redone.lacking:
        names = ", ".join(line_text(run.name, NAME_CHARS) for run in redone.lacking[:MAX_LINES])
        out.print(
            f"[bold red]different[/]: {count_text(len(redone.lacking), 'run')} did not come again: {escape(names)}"
        )
    if redone.others:
        names = ", ".join(line_text(run.name, NAME_CHARS) for run in redone.others[:MAX_LINES])
        out.print(f"[dim]{count_text(len(redone.others), 'other run')} came of it: {escape(names)}[/]", soft_wrap=True)
    echo(f"it ran in {plan.folder}, which is yours to remove")


def _print_verdict(
    plan: Plan, first: RecordedRun, again: RecordedRun, verdict: Verdict, out: Console, *, full: bool
) -> None:
    style = {"bit-identical": "green", "within tolerance": "yellow", "different": "red"}.get(verdict.level, "dim")
    bounds = f" of {verdict.tolerance:g} (relative)" if verdict.level == "within tolerance" else ""
    if verdict.level != "different" and any(item.same is None for item in verdict.files):
        bounds += ", in what could be compared"
    names = f"{escape(line_text(again.name, NAME_CHARS))} reproduces {escape(line_text(first.name, NAME_CHARS))}"
    out.print(f"{names}: [bold {style}]{verdict.level}[/]{bounds}", soft_wrap=True)
    same = [item for item in verdict.files if item.same]
    counts = [count_text(len(items), what) for items, what in ((verdict.same, "metric"), (same, "file")) if items]
    if counts:
        by = ", by its weights where the bytes of a file differ" if any(item.by == "weights" for item in same) else ""
        out.print(f"  the same bit for bit: {' and '.join(counts)}{by}", soft_wrap=True)
    for reason in verdict.reasons:
        out.print("  " + escape(one_line(reason)), soft_wrap=True)
    _print_deviations(verdict, out, full=full)
    for line in _some(list(_file_lines(verdict)), full):
        out.print("  " + escape(line), soft_wrap=True)
    if verdict.level == "different":
        found = unexpected(plan, compare(first, again))
        if any(change.group == "seeds" for change in found.changes):
            out.print(
                "  its random generators stood elsewhere when the run began: no seed was set before it, or another one",
                soft_wrap=True,
            )
        out.print("what else differs between them:")
        print_comparison(found, out, full=full)


def _file_lines(verdict: Verdict) -> Iterator[str]:
    """Yield a line for each file that differs, and for each reason why files could not be compared."""
    for item in verdict.files:
        if item.same is False:
            name = line_text(item.name, 60)
            yield f"{name}: {item.why}" if item.why else f"{name} differs in its {_by(item, verdict)}"
    unknown = [item for item in verdict.files if item.same is None]
    for why in dict.fromkeys(item.why for item in unknown):
        items = [item for item in unknown if item.why == why]
        title = line_text(items[0].name, 60) if len(items) == 1 else f"{len(items)} {items[0].kind}s"
        yield f"{title} not compared: {why}"


def _by(item: Outcome, verdict: Verdict) -> str:
    if item.by == "weights":
        return "weights"
    opaque = item.kind in MODELS and not verdict.deviations and not verdict.reasons
    return "bytes, as times in it would make it: no pickle is loaded to see" if opaque else "bytes"


def _print_deviations(verdict: Verdict, out: Console, *, full: bool) -> None:
    if not verdict.deviations:
        return
    order = sorted(verdict.deviations, key=lambda item: -(float("inf") if item.relative is None else item.relative))
    table = grid(["metric", "differs by", "relative", "at step", ""], right=(1, 2, 3))
    for item in order if full else order[:MAX_LINES]:
        numbers = ["" if value is None else number_text(value) for value in (item.largest, item.relative)]
        step = "" if item.step is None else str(item.step)
        table.add_row("  " + escape(line_text(item.key, 30)), *numbers, step, escape(item.why))
    out.print(table)
    if not full and len(order) > MAX_LINES:
        out.print(f"  [dim]… and {len(order) - MAX_LINES} more (--full shows all)[/]")
