"""`runlore doctor` and `runlore reindex`: what is recorded here, the state of the store, and its index made anew."""

import click
from rich.markup import escape

from runlore._text import visible_text
from runlore.cli.options import json_option, store_option
from runlore.cli.printing import console, grid, print_json
from runlore.maintenance.diagnosis import Finding, diagnose
from runlore.store.store import open_store

SIGNS = {"ok": ("✓", "green"), "off": ("–", "dim"), "missing": ("!", "yellow"), "bad": ("✗", "red")}


@click.command()
@json_option
@store_option
def doctor(as_json: bool, store: str | None) -> None:
    """Say what runs record here and what not and why, where the store is, how large, and what is pending."""
    found = diagnose(open_store(store))
    if as_json:
        print_json({group: {item.name: _plain(item) for item in items} for group, items in found.items()})
        return
    out = console()
    for group, items in found.items():
        table = grid(["", "", ""])
        table.show_header = False
        table.columns[2].no_wrap = False
        for item in items:
            sign, style = SIGNS[item.state]
            table.add_row(f"  [{style}]{sign}[/]", escape(item.name), escape(visible_text(item.text)))
        out.print(f"[bold]{escape(group)}[/]")
        out.print(table)


@click.command()
@store_option
def reindex(store: str | None) -> None:
    """Read every run again and rebuild the index.

    The index is only a cache of the logs: nothing is lost. Call it when a listing looks wrong.
    """
    count = open_store(store).reindex()
    click.echo(f"{count} run{'' if count == 1 else 's'} indexed")


def _plain(item: Finding) -> dict[str, object]:
    return {"state": item.state, "text": item.text, **item.facts}
