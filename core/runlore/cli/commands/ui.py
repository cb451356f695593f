"""`runlore ui`: show the store as a page in the browser."""

from dataclasses import dataclass

import click

from runlore.cli.options import options_as, store_option
from runlore.cli.printing import echo
from runlore.errors import MissingDependency
from runlore.store.store import open_store


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `runlore ui`."""

    port: int | None
    host: str
    no_browser: bool
    keep_address: bool
    names: tuple[str, ...]
    base_path: str
    proxies: tuple[str, ...]
    frames: tuple[str, ...]
    store: str | None


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="The port; 0 takes any [default: 6464, or the next free].")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--no-browser", is_flag=True, help="Only print the address.")
@click.option("--keep-address", is_flag=True, help="Use the same address at each start: tabs and bookmarks go on.")
@click.option(
    "--allow-host",
    "names",
    metavar="NAME",
    multiple=True,
    help="A proxy's name that requests may use; may be repeated.",
)
@click.option(
    "--base-path",
    default="",
    metavar="PATH",
    help="The path below which a proxy serves the page and which it passes on.",
)
@click.option(
    "--trust-proxy", "proxies", metavar="ADDRESS", multiple=True, help="Believe X-Forwarded-Host and -Proto from there."
)
@click.option(
    "--allow-frame", "frames", metavar="ORIGIN", multiple=True, help="A site whose pages may show this one in a frame."
)
@store_option
@options_as(Options)
def ui(options: Options) -> None:
    """Show the store as a page in the browser, on this machine only.

    The address carries a key: whoever has it can read the store and change tags, notes and runs. Ctrl-C ends it.
    """
    try:
        options.host.encode("idna")
    except UnicodeError:
        raise click.UsageError(f"--host is {options.host!r}, which is no name or address of a machine") from None
    place = open_store(options.store)
    try:
        from runlore.ui.reach import Reach
        from runlore.ui.server import Server, is_local
    except ImportError as error:
        raise MissingDependency(f"the page needs {error.name}: pip install 'runlore[ui]'") from None
    reach = Reach(options.host, options.names, options.base_path, options.proxies, options.frames)
    server = Server(place.root, reach, options.port, keep=options.keep_address)
    echo(f"{place.root} at", "", f"  {server.address}", "")
    if server.plain:
        echo("  where that name leads nowhere", f"  {server.plain}", "")
    for way in server.ways:
        echo("  behind the proxy, with its http: or https: before it", f"  {way}", "")
    if server.taken:
        echo(f"Another program listens at {server.taken}: open the address as it is, not by a name.", err=True)
    if not is_local(options.host):
        echo("Other machines can reach it. What they are sent is not encrypted.", err=True)
    server.serve(browser=not options.no_browser)
