"""`runlore plugins`."""

from dataclasses import asdict

import click
from rich.markup import escape

from runlore._text import line_text
from runlore.cli.options import json_option
from runlore.cli.printing import console, grid, print_json
from runlore.maintenance.diagnosis import installed_plugins

STYLES = {"loaded": "green", "failed": "red", "disabled": "yellow", "off": "dim"}


@click.command()
@json_option
def plugins(as_json: bool) -> None:
    """List the plugins: name, version, state, and their hooks or the error."""
    found = installed_plugins()
    if as_json:
        print_json([asdict(info) for info in found])
        return
    table = grid(["plugin", "from", "version", "state", "hooks"])
    table.columns[-1].no_wrap = False
    for info in found:
        hooks = ", ".join(name.removeprefix("runlore_") for name in info.hooks)
        table.add_row(
            "  " + escape(line_text(info.name, 20)),
            escape(line_text(info.distribution, 20)),
            escape(line_text(info.version, 16)),
            f"[{STYLES[info.state]}]{info.state}[/]",
            escape(info.error or hooks),
        )
    console().print(table)
