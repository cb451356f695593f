"""`runlore reindex`."""

import click

from runlore.cli.options import store_option
from runlore.store.store import open_store


@click.command()
@store_option
def reindex(store: str | None) -> None:
    """Read every run again and rebuild the index.

    The index is only a cache of the logs, so nothing is lost by it; it is also what to do when a listing looks wrong.
    """
    count = open_store(store).reindex()
    click.echo(f"{count} run{'' if count == 1 else 's'} indexed")
