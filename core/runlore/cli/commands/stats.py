"""`runlore stats`: mean, interval and best value of a metric in groups of runs, and a test between two of them."""

from dataclasses import dataclass

import click
from rich.markup import escape

from runlore._text import count_text, line_text, number_text
from runlore.analysis.scope import independent, left_out_text, well_ended
from runlore.analysis.statistics import Best, Group, PairedTest, Statistics, group_runs
from runlore.cli.groups import Key, key_texts
from runlore.cli.options import also_options, json_option, options_as, store_option
from runlore.cli.printing import echo, grid, print_json, print_whole, tell_unknown_keys
from runlore.documents import statistics_document
from runlore.errors import AmbiguousRun, RunNotFound
from runlore.store.store import Store, open_store

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
    also: frozenset[str]
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
@also_options
@json_option
@store_option
@options_as(Options)
def stats(options: Options) -> None:
    """Compare groups of runs: n, mean, standard deviation, 95 % interval and best of a metric.

    Runs that have not finished are left out, and named, unless the query or --by names their status.

    With --over, runs of a group that differ only in this field are repetitions, and two groups are compared by a
    paired test over the values that both have.
    """
    by, over = options.by, options.over
    store = open_store(options.store)
    chosen, left_out = well_ended(store, options.where, independent(options.where, options.also), by)
    between = tuple(_named_parent(store, by, text) for text in options.between or ())
    found = group_runs(store, chosen, options.metric, by, over, options.best, between or None)  # type: ignore[arg-type]
    if options.as_json:
        print_json(statistics_document(found, by, over, left_out))
        return
    if left_out:
        echo(left_out_text(left_out), err=True)
    if found.groups:
        _print(found, by, over, key_texts(store, by, [group.key for group in found.groups]))
    else:
        tell_unknown_keys(store, options.where)
        echo("No run fulfils this query.")


def _named_parent(store: Store, by: tuple[str, ...], text: str) -> str:
    """Return the id of the parent that makes a group, where somebody wrote its name."""
    if by != ("parent",):
        return text
    try:
        return store.run(text).id
    except (RunNotFound, AmbiguousRun):
        return text  # maybe that of no parent: "–"


def _print(found: Statistics, by: tuple[str, ...], over: tuple[str, ...], keys: dict[Key, list[str]]) -> None:
    good = "lowest" if found.best == "min" else "highest"
    heads = [*by, "n", "mean", "std", "95 % interval", "best", "run"]
    table = grid(heads, right=range(len(by), len(by) + 5))
    for group in found.groups:
        if group.runs:
            table.add_row(*_cells(group, keys[group.key]))
    echo(f"{found.metric}, best is {good}")
    print_whole(table)
    lacking = sum(group.lacking for group in found.groups)
    if lacking:
        echo(f"{count_text(lacking, 'run')} without it, or where it is NaN, left out.", err=True)
    merged = sum(len(group.runs) - group.n for group in found.groups)
    if merged:
        echo(f"{count_text(merged, 'run')} counted with another of the same {', '.join(over)}.", err=True)
    if found.mixed:
        more = f" and {len(found.mixed) - MAX_MIXED} more" if len(found.mixed) > MAX_MIXED else ""
        params = f"{', '.join(found.mixed[:MAX_MIXED])}{more}"
        echo(f"Runs of one group differ in {params}, too: --by {found.mixed[0]} keeps them apart.", err=True)
    if found.test is not None:
        echo(_test_text(found.test, keys))
    elif found.why_no_test:
        echo(found.why_no_test, err=True)


def _cells(group: Group, texts: list[str]) -> list[str]:
    keys = [escape(line_text(text, KEY_CHARS)) for text in texts]
    if keys:
        keys[0] = "  " + keys[0]
    interval = "–" if group.interval is None else " … ".join(map(number_text, group.interval))
    best = group.best
    told = [number_text(best.value), best.run[-ID_DIGITS:]] if best else ["–", ""]
    deviation = "–" if group.deviation is None else number_text(group.deviation)
    return [*keys, ("" if keys else "  ") + str(group.n), number_text(group.mean), deviation, interval, *told]


def _test_text(test: PairedTest, keys: dict[Key, list[str]]) -> str:
    a, b = (" ".join(keys[key]) for key in (test.a, test.b))
    text = f"paired over {test.pairs}: {b} - {a} = {number_text(test.difference)}"
    if test.p is None or test.t is None or test.interval is None:
        return f"{text}, the same for each pair: no test"
    low, high = map(number_text, test.interval)
    return f"{text} (95 %: {low} … {high}), t = {test.t:.3g}, p = {test.p:.2g}"
