"""`runlore stats`: mean, interval and best value of a metric in groups of runs, and a test between two of them."""

from dataclasses import dataclass

import click
from rich.markup import escape

from runlore._text import count_text, line_text, number_text
from runlore.analysis.scope import independent, well_ended
from runlore.analysis.statistics import Best, Group, PairedTest, Statistics, group_runs, key_text
from runlore.cli.options import children_option, json_option, options_as, store_option
from runlore.cli.printing import grid, print_json, print_whole
from runlore.documents import statistics_document
from runlore.store.runs import RunList
from runlore.store.store import open_store

MAX_NAMED = 5  # runs that are left out
MAX_MIXED = 5  # names of params that differ within groups, in the warning
KEY_CHARS = 24  # of a value that makes a group
ID_DIGITS = 6  # of the best run


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `runlore stats`."""

    where: str
    metric: str
    by: tuple[str, ...]
    over: tuple[str, ...]
    best: Best | None
    between: tuple[str, str] | None
    show_all: bool
    as_json: bool
    store: str | None


@click.command()
@click.argument("where", required=False, default="")
@click.option(
    "--metric", "-m", required=True, metavar="METRIC", help="val_acc, or with .min, .max instead of the last value."
)
@click.option(
    "--by", multiple=True, metavar="FIELD", help="Runs of one value form a group: params.lr; may be repeated."
)
@click.option("--over", multiple=True, metavar="FIELD", help="The field that tells repetitions apart: params.seed.")
@click.option(
    "--best", type=click.Choice(["min", "max"]), help="Which values are good [default: by the metric's name]."
)
@click.option("--between", nargs=2, metavar="A B", help="The two groups to test [default: the best two].")
@children_option
@json_option
@store_option
@options_as(Options)
def stats(options: Options) -> None:
    """Compare groups of runs: n, mean, standard deviation, 95 % interval and best of a metric.

    Runs that have not finished are left out, and named, unless the query names their status.

    With --over, runs of a group that differ only in this field are repetitions, and two groups are compared by a
    paired test over the values that both have.
    """
    by, over = options.by, options.over
    store = open_store(options.store)
    chosen, left_out = well_ended(store, options.where, independent(options.where, options.show_all))
    found = group_runs(store, chosen, options.metric, by, over, options.best, options.between or None)
    if options.as_json:
        print_json(statistics_document(found, by, over, left_out or ()))
        return
    if left_out:
        click.echo(_left_out_text(left_out), err=True)
    if found.groups:
        _print(found, by, over)
    else:
        click.echo("No run fulfils this query.")


def _print(found: Statistics, by: tuple[str, ...], over: tuple[str, ...]) -> None:
    good = "lowest" if found.best == "min" else "highest"
    heads = [*by, "n", "mean", "std", "95 % interval", "best", "run"]
    table = grid(heads, right=range(len(by), len(by) + 5))
    for group in found.groups:
        if group.runs:
            table.add_row(*_cells(group))
    click.echo(f"{found.metric}, best is {good}")
    print_whole(table)
    lacking = sum(group.lacking for group in found.groups)
    if lacking:
        click.echo(f"{count_text(lacking, 'run')} without it, or where it is NaN, left out.", err=True)
    merged = sum(len(group.runs) - group.n for group in found.groups)
    if merged:
        click.echo(f"{count_text(merged, 'run')} counted with another of the same {', '.join(over)}.", err=True)
    if found.mixed:
        more = f" and {len(found.mixed) - MAX_MIXED} more" if len(found.mixed) > MAX_MIXED else ""
        params = f"{', '.join(found.mixed[:MAX_MIXED])}{more}"
        click.echo(f"Runs of one group differ in {params}, too: --by {found.mixed[0]} keeps them apart.", err=True)
    if found.test is not None:
        click.echo(_test_text(found.test))
    elif found.why_no_test:
        click.echo(found.why_no_test, err=True)


def _cells(group: Group) -> list[str]:
    keys = [escape(line_text(key_text(value), KEY_CHARS)) for value in group.key]
    if keys:
        keys[0] = "  " + keys[0]
    interval = "–" if group.interval is None else " … ".join(map(number_text, group.interval))
    best = group.best
    told = [number_text(best.value), best.run[-ID_DIGITS:]] if best else ["–", ""]
    deviation = "–" if group.deviation is None else number_text(group.deviation)
    return [*keys, ("" if keys else "  ") + str(group.n), number_text(group.mean), deviation, interval, *told]


def _left_out_text(runs: RunList) -> str:
    named = [f"{line_text(run.name, KEY_CHARS)} ({run.status})" for run in runs[:MAX_NAMED]]
    more = f" and {len(runs) - MAX_NAMED} more" if len(runs) > MAX_NAMED else ""
    names = f"{', '.join(named)}{more}"
    return f"{count_text(len(runs), 'run')} left out, not finished: {names}. A query that names status counts them."


def _test_text(test: PairedTest) -> str:
    a, b = (" ".join(map(key_text, key)) for key in (test.a, test.b))
    text = f"paired over {test.pairs}: {b} - {a} = {number_text(test.difference)}"
    if test.p is None or test.t is None or test.interval is None:
        return f"{text}, the same for each pair: no test"
    low, high = map(number_text, test.interval)
    return f"{text} (95 %: {low} … {high}), t = {test.t:.3g}, p = {test.p:.2g}"
