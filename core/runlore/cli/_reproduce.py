"""`runlore reproduce`: do a run again, and say how far it came out the same."""

import os
import re
import shlex
import shutil
import sys
import tempfile
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from runlore._text import count_text, line_text, number_text, visible_text
from runlore.cli._diff import print_comparison
from runlore.cli._options import RunPart, console, grid, json_option, print_json, store_option
from runlore.comparison import compare
from runlore.documents import reproduction_document
from runlore.reproduction import CannotReproduce, Plan, carry_out, distrust, prepare, unexpected
from runlore.runs import RecordedRun
from runlore.store import Store, open_store
from runlore.verdicts import TOLERANCE, Outcome, Verdict, judge, worst

DIFFERENT = 3  # exit status
PLACING = ("PATH", "VIRTUAL_ENV")  # variables that say where the environment lies
WIDTH = 13  # columns of the titles
SHOWN = 10  # lines of a list; --full shows all
FOLDER = click.Path(file_okay=False, path_type=Path)
THING = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("run", type=RunPart())
@click.argument("command", metavar="[-- COMMAND…]", nargs=-1, type=click.UNPROCESSED)
@click.option("--dry-run", is_flag=True, help="Print the plan, run nothing, leave nothing behind.")
@click.option("--here", is_flag=True, help="Use the Python and the packages that are here, and say what differs.")
@click.option("--force", is_flag=True, help="Go on although something can't be restored.")
@click.option("--trust", is_flag=True, help="Run code that somebody else may have recorded.")
@click.option("--with", "copied", multiple=True, type=THING, help="Copy a file or folder that git does not have.")
@click.option("--link", "linked", multiple=True, type=THING, help="The same by a link, for what is too large to copy.")
@click.option("--to", type=FOLDER, help="The folder to do it in, not there yet [default: a temporary one, kept].")
@click.option("--tolerance", type=click.FloatRange(min=0), default=TOLERANCE, show_default=True, help="Relative.")
@click.option("--full", is_flag=True, help="Every package, metric and change.")
@json_option
@store_option
def reproduce(
    run: str,
    command: tuple[str, ...],
    dry_run: bool,
    here: bool,
    force: bool,
    trust: bool,
    copied: tuple[Path, ...],
    linked: tuple[Path, ...],
    to: Path | None,
    tolerance: float,
    full: bool,
    as_json: bool,
    store: str | None,
) -> None:
    """Do a run again: its code, packages, data and command, in a fresh folder.

    Ends with a verdict: bit-identical, within the tolerance, or different (exit status 3), and then why. Nothing of
    yours is touched. What can't be restored is told first, and --force goes on. A COMMAND stands in for the recorded.
    """
    found = open_store(store).run(run)
    reason = distrust(found)
    if reason is not None and not trust and not dry_run:
        raise CannotReproduce(f"{reason}: --trust runs its code all the same, --dry-run shows what that would be")
    with ExitStack() as stack:
        folder = to
        if folder is None or dry_run:
            folder = Path(tempfile.mkdtemp(prefix=f"runlore-{re.sub(r'[^a-zA-Z0-9-]', '-', found.name)[:40]}-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        plan = prepare(found, folder, here=here, copied=copied, linked=linked, command=command)
        if not as_json:
            _print_plan(plan, console(), full=full)
        if dry_run or (plan.problems and not force):
            if as_json:
                print_json(reproduction_document(plan))
            if not dry_run:
                raise CannotReproduce("not everything can be restored: --force goes on with what can")
            return
        stack.pop_all()  # from here on the folder is kept
    redone = carry_out(plan, _into(found.store, folder), to_stderr=as_json)
    if redone.exit_status:
        click.echo(f"the command ended with exit status {redone.exit_status}", err=True)
    if not redone.pairs:
        what = f"the command recorded no run that stands for {found.name!r}"
        others = f", but {', '.join(run.name for run in redone.others)}" if redone.others else ""
        raise CannotReproduce(f"{what}{others}; it ran in {str(plan.cwd)!r}")
    verdicts = [judge(*pair, tolerance) for pair in redone.pairs]
    level = worst(verdict.level for verdict in verdicts)
    if as_json:
        print_json(reproduction_document(plan, redone, verdicts))
    else:
        for (first, again), verdict in zip(redone.pairs, verdicts, strict=True):
            _print_verdict(plan, first, again, verdict, console(), full=full)
        click.echo(f"it ran in {plan.folder}, which is yours to remove")
    sys.exit({"different": DIFFERENT, "nothing to compare": 1}.get(level, 0))


def _into(store: Store, folder: Path) -> Store:
    """The store that takes the new run: that of the first, or one beside it where that can't be written."""
    return store if os.access(store.root, os.W_OK) else Store(folder / "store")


def _print_plan(plan: Plan, out: Console, *, full: bool) -> None:
    shown = [f"{name}={value}" for name, value in plan.settings.items() if value is not None and name not in PLACING]
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
            out.print("  " + escape(visible_text(problem.what)), soft_wrap=True)
    sys.stdout.flush()


def _print_lines(out: Console, title: str, lines: list[str]) -> None:
    for number, line in enumerate(lines):
        head = f"[dim]{title if number == 0 else '':{WIDTH}}[/]"
        out.print(f"  {head}{escape(visible_text(line))}", soft_wrap=True)


def _some(lines: list[str], full: bool) -> list[str]:
    more = len(lines) - SHOWN
    return lines if full or more <= 0 else [*lines[:SHOWN], f"… and {more} more (--full shows all)"]


def _print_verdict(
    plan: Plan, first: RecordedRun, again: RecordedRun, verdict: Verdict, out: Console, *, full: bool
) -> None:
    style = {"bit-identical": "green", "within tolerance": "yellow", "different": "red"}.get(verdict.level, "dim")
    told = f" of {verdict.tolerance:g} (relative)" if verdict.level == "within tolerance" else ""
    names = f"{escape(line_text(again.name, 40))} reproduces {escape(line_text(first.name, 40))}"
    out.print(f"{names}: [bold {style}]{verdict.level}[/]{told}", soft_wrap=True)
    same = [item for item in verdict.files if item.same]
    counts = [count_text(len(items), what) for items, what in ((verdict.same, "metric"), (same, "file")) if items]
    if counts:
        by = ", by its weights where the bytes of a file differ" if any(item.by == "weights" for item in same) else ""
        out.print(f"  the same bit for bit: {' and '.join(counts)}{by}", soft_wrap=True)
    for reason in verdict.reasons:
        out.print("  " + escape(visible_text(reason)), soft_wrap=True)
    _print_deviations(verdict, out, full=full)
    for line in _some([_file_line(item) for item in verdict.files if not item.same], full):
        out.print("  " + escape(line), soft_wrap=True)
    if verdict.level == "different":
        out.print("what else differs between them:")
        print_comparison(unexpected(plan, compare(first, again)), out, full=full)


def _file_line(item: Outcome) -> str:
    word = "not compared" if item.same is None else "differs"
    why = f": {item.why}" if item.why else f" in its {'weights' if item.by == 'weights' else 'bytes'}"
    if item.kind in ("model", "checkpoint") and item.by == "sha256" and not item.why:
        why += ", as times in it would make it; no weights are known of it, and no pickle is loaded to see"
    return f"{line_text(item.name, 60)} {word}{why}"


def _print_deviations(verdict: Verdict, out: Console, *, full: bool) -> None:
    if not verdict.deviations:
        return
    order = sorted(verdict.deviations, key=lambda item: -(float("inf") if item.relative is None else item.relative))
    table = grid(["metric", "differs by", "relative", "at step", ""], right=(1, 2, 3))
    for item in order if full else order[:SHOWN]:
        numbers = ["" if value is None else number_text(value) for value in (item.largest, item.relative)]
        step = "" if item.step is None else str(item.step)
        table.add_row("  " + escape(line_text(item.key, 30)), *numbers, step, escape(item.why))
    out.print(table)
    if not full and len(order) > SHOWN:
        out.print(f"  [dim]… and {len(order) - SHOWN} more (--full shows all)[/]")
