"""`runlore doctor`: what is recorded here, what not and why, and how the store is."""

import click
from rich.markup import escape

from runlore._text import visible_text
from runlore.cli.options import console, grid, json_option, print_json, store_option
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


def _plain(item: Finding) -> dict[str, object]:
    return {"state": item.state, "text": item.text, **item.facts}
