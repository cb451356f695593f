"""`runlore doctor`, `runlore plugins`, `runlore reindex` and `runlore quarantine`.

What is recorded here and by which plugins, the state of the store; its index made anew; bad runs set aside.
"""

from dataclasses import asdict

import click
from rich.markup import escape

from runlore._text import count_text, line_text, size_text, visible_text
from runlore.cli.options import RunPart, json_option, store_option
from runlore.cli.printing import console, echo, grid, print_json
from runlore.maintenance.diagnosis import Finding, diagnose, installed_plugins
from runlore.store.quarantine import in_quarantine
from runlore.store.store import open_store

SIGNS = {"ok": ("✓", "green"), "off": ("–", "dim"), "missing": ("!", "yellow"), "bad": ("✗", "red")}
STYLES = {"loaded": "green", "failed": "red", "disabled": "yellow", "off": "dim"}  # of plugins


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


@click.command()
@store_option
def reindex(store: str | None) -> None:
    """Read every run again and rebuild the index.

    The index is only a cache of the logs: nothing is lost. Call it when a listing looks wrong.
    """
    count = open_store(store).reindex()
    echo(f"{count} run{'' if count == 1 else 's'} indexed")


@click.command()
@click.argument("runs", type=RunPart(), nargs=-1)
@click.option("--off", is_flag=True, help="Take the runs back; name them by their whole ids.")
@json_option
@store_option
def quarantine(runs: tuple[str, ...], off: bool, as_json: bool, store: str | None) -> None:
    """Set the files of runs aside where no command reads them; without runs, list what is there.

    For runs that are damaged, or that came with a store of somebody else's. Their children stay.
    """
    place = open_store(store)
    if not runs:
        if off:
            raise click.UsageError("name the runs to take back: `runlore quarantine` lists them")
        sizes = in_quarantine(place.folder)
        if as_json:
            print_json([{"run": run_id, "bytes": size} for run_id, size in sizes.items()])
            return
        for run_id, size in sizes.items():
            echo(f"{run_id}  {size_text(size)}")
        echo("`runlore quarantine --off ID` takes a run back" if sizes else "no run is in quarantine")
        return
    moved = {run: place.release(run) if off else place.quarantine(run) for run in runs}
    if as_json:
        print_json({run: [str(path) for path in paths] for run, paths in moved.items()})
        return
    for run, paths in moved.items():
        where = paths[0].parent.relative_to(place.root)
        echo(f"{run}: {count_text(len(paths), 'file')} moved to {str(where)!r}")
    if not off:
        ids = " ".join(dict.fromkeys(paths[0].name.partition(".")[0] for paths in moved.values()))
        echo(f"`runlore quarantine --off {ids}` takes them back")


def _plain(item: Finding) -> dict[str, object]:
    return {"state": item.state, "text": item.text, **item.facts}
