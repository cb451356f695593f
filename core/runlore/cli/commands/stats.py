"""`runlore stats`: what a metric comes to over seeds, group by group."""

import click
from rich.markup import escape

from runlore._text import count_text, line_text, number_text
from runlore.analysis.scope import independent
from runlore.analysis.statistics import Best, Group, PairedTest, Statistics, group_runs, key_text
from runlore.cli.options import children_option, grid, json_option, print_json, print_whole, store_option
from runlore.documents import statistics_document
from runlore.store.store import open_store

MIXED = 5  # names of params that differ within groups
KEY = 24  # characters of a value that makes a group


@click.command()
@click.argument("where", required=False, default="")
@click.option(
    "--metric", "-m", required=True, metavar="METRIC", help="val_acc, or with .min, .max instead of the last value."
)
@click.option("--by", multiple=True, metavar="FIELD", help="What makes a group: params.lr; may stand many times.")
@click.option("--over", multiple=True, metavar="FIELD", help="What repeats within a group: params.seed.")
@click.option(
    "--best", type=click.Choice(["min", "max"]), help="Which values are good [default: by the metric's name]."
)
@click.option("--between", nargs=2, metavar="A B", help="The two groups to test [default: the best two].")
@children_option
@json_option
@store_option
def stats(
    where: str, metric: str, by: tuple[str, ...], over: tuple[str, ...], best: Best | None,
    between: tuple[str, str] | None, show_all: bool, as_json: bool, store: str | None,
) -> None:  # fmt: skip
    """Compare groups of runs: n, mean, 95 % interval and best of a metric.

    With --over, runs of a group that differ only there are repetitions, and two groups are compared by a paired test
    over those that both have.
    """
    place = open_store(store)
    place.check_query(where)
    found = group_runs(place, independent(where, show_all), metric, by, over, best, between or None)
    if as_json:
        print_json(statistics_document(found, by, over))
        return
    if not found.groups:
        click.echo("No run fulfils this query.")
        return
    _print(found, by, over)


def _print(found: Statistics, by: tuple[str, ...], over: tuple[str, ...]) -> None:
    good = "lowest" if found.best == "min" else "highest"
    heads = [*by, "n", "mean", "95 % interval", "best", "run"]
    table = grid(heads, right=range(len(by), len(by) + 4))
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
        more = f" and {len(found.mixed) - MIXED} more" if len(found.mixed) > MIXED else ""
        told = f"{', '.join(found.mixed[:MIXED])}{more}"
        click.echo(f"Runs of one group differ in {told}, too: --by {found.mixed[0]} keeps them apart.", err=True)
    if found.test is not None:
        click.echo(_test_text(found.test))
    elif found.why_no_test:
        click.echo(found.why_no_test, err=True)


def _cells(group: Group) -> list[str]:
    keys = [escape(line_text(key_text(value), KEY)) for value in group.key]
    if keys:
        keys[0] = "  " + keys[0]
    interval = "–" if group.interval is None else " … ".join(map(number_text, group.interval))
    best = group.best
    told = [number_text(best.value), best.run[-6:]] if best else ["–", ""]
    return [*keys, ("" if keys else "  ") + str(group.n), number_text(group.mean), interval, *told]


def _test_text(test: PairedTest) -> str:
    a, b = (" ".join(map(key_text, key)) for key in (test.a, test.b))
    text = f"paired over {test.pairs}: {b} - {a} = {number_text(test.difference)}"
    if test.p is None or test.t is None or test.interval is None:
        return f"{text}, the same for each pair: no test"
    low, high = map(number_text, test.interval)
    return f"{text} (95 %: {low} … {high}), t = {test.t:.3g}, p = {test.p:.2g}"
