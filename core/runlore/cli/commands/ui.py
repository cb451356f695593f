"""`runlore ui`: show the store as a page in the browser."""

import click

from runlore.cli.options import store_option
from runlore.errors import MissingDependency
from runlore.store.store import open_store


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any [default: 6464, or the next free].")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@store_option
def ui(port: int | None, host: str, no_browser: bool, store: str | None) -> None:
    """Show the store as a page in the browser, on this machine only.

    The address carries a key: whoever has it can read the store and change tags, notes and runs. Ctrl-C ends it.
    """
    place = open_store(store)
    try:
        from runlore.ui.server import Server, is_local
    except ImportError as error:
        raise MissingDependency(f"the page needs {error.name}: pip install 'runlore[ui]'") from None
    server = Server(place.root, host, port)
    click.echo(f"{place.root} at\n\n  {server.address}\n")
    if not is_local(host):
        click.echo("Other machines can reach it. What they are sent is not encrypted.", err=True)
    server.serve(browser=not no_browser)
