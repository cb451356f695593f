"""The server of the page: it listens on a port, opens the browser, and ends by Ctrl-C."""

import errno
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import webbrowser
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import uvicorn

from runlore._proof import proof_of, secret_place
from runlore.analysis.tables import suggested_columns
from runlore.errors import RunloreError
from runlore.store.store import Store
from runlore.ui.app import create_app
from runlore.ui.connections import Connections, watched_by
from runlore.ui.entrance import opening_page
from runlore.ui.guard import Keys
from runlore.ui.reach import LOCAL_HOSTS, Reach, path_here

DEFAULT_PORT = 6464
MAX_PORTS = 20  # that are tried, from the default one on; then any
BACKLOG = 64  # connections that wait, and that are taken before others are looked at
OTHER_LOOPBACK = {"127.0.0.1": "::1", "localhost": "::1", "::1": "127.0.0.1"}
SHUTDOWN_S = 1  # for open connections to end


class PortTaken(RunloreError, OSError):
    """The port is in use, or the address is none of this machine."""


class NothingKept(RunloreError, ValueError):
    """This user has no folder for a secret, from which an address that stays could follow."""


class Server:
    """Listens for requests to a store's page; `address` is the URL with the token, `ways` those behind a proxy.

    On this machine alone the address has a name that no server had before, and browsers take such names for this
    machine: so nothing that another server left in the browser, or gets from it, belongs to this one. `plain` is the
    address by its number, for programs and browsers that look the name up elsewhere; empty where it is the same.
    `taken` is an address on the same port at which somebody else listens; empty where nobody does.

    With `keep` token and name are those of every such start by this user for this store: they follow from the user's
    secret (`_proof`). A tab and a link then outlive the server, and so does the cookie, which a browser shows to
    whoever listens there meanwhile.

    Raises:
        PortTaken: the port is taken, or the host is none of this machine.
        NothingKept: with `keep`, the user has no secret.
        MissingDependency: plotly is not installed.
    """

    def __init__(self, root: Path, reach: Reach, port: int | None = None, *, keep: bool = False) -> None:
        host = reach.host
        token, own = _kept(root) if keep else ("", "")
        self._keys = Keys(token)
        closing = threading.Event()
        self.sockets, self.taken = _listen(host, port)
        number = self.sockets[0].getsockname()[1]
        if is_local(host) and not self.taken and _is_name_known():
            reach = replace(reach, own=f"{own or secrets.token_hex(8)}.localhost")  # as `is_of_a_start` knows it
        name = f"[{host}]" if ":" in host else {"0.0.0.0": socket.gethostname()}.get(host, host)  # noqa: S104
        self.root_address = f"http://{reach.own or name}:{number}/"
        behind = f"enter#token={self._keys.token}"
        self.address = f"{self.root_address}{behind}"
        self.plain = f"http://{name}:{number}/{behind}" if reach.own else ""
        path = quote(reach.base) or path_here(number)
        self.ways = [f"//{item}{path}/{behind}" for item in reach.names]
        self._root = root
        connections = Connections()
        config = uvicorn.Config(
            create_app(root, self._keys, reach, connections, closing), log_level="error", access_log=False,
            lifespan="off", ws="none", http=watched_by(connections), timeout_graceful_shutdown=SHUTDOWN_S,
            server_header=False, proxy_headers=False, backlog=BACKLOG,
        )  # fmt: skip
        self._server = _Uvicorn(config, closing)

    def serve(self, *, browser: bool = False) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        threading.Thread(target=_warm, args=(self._root,), daemon=True).start()
        before = signal.signal(signal.SIGTERM, self._server.handle_exit) if _is_main_thread() else None
        folder = Path(tempfile.mkdtemp(prefix="runlore-ui-")) if browser else None
        try:
            if folder is not None:
                page = opening_page(self.root_address, self._keys.token)
                threading.Thread(target=_open_browser, args=(folder, page), daemon=True).start()
            self._server.run(sockets=self.sockets)
        except KeyboardInterrupt:
            pass
        finally:
            self.close()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)
            if before is not None:
                signal.signal(signal.SIGTERM, before)
        if self._server.ended_by not in (None, signal.SIGINT):
            signal.raise_signal(self._server.ended_by)  # all is cleaned up, and whoever sent it sees that it worked

    def stop(self) -> None:
        """End `serve` from another thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Listen no longer."""
        for found in self.sockets:
            found.close()


def _kept(root: Path) -> tuple[str, str]:
    """Return the token and the name for this user's starts at a store."""
    subject = str(root.resolve())
    token, name = (proof_of(purpose, subject) for purpose in (b"page token", b"page name"))
    if not token:
        place = secret_place()
        where = f"{str(place)!r} can't be written" if place else "there is no home folder"
        raise NothingKept(f"no address can be kept: {where}; without --keep-address each start has its own")
    return token, name[:16]


class _Uvicorn(uvicorn.Server):
    """Sets `closing` before it shuts down, so that the live streams end; `ended_by` is the signal that it got."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing
        self.ended_by: int | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down, on Ctrl-C or SIGTERM; at once, on the second Ctrl-C.

        Unlike uvicorn, which raises the signal again before this process could clean up.
        """
        self._closing.set()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        self.ended_by = sig


def _is_main_thread() -> bool:
    """Return True where signals can be handled."""
    return threading.current_thread() is threading.main_thread()


def _warm(root: Path) -> None:
    """Update the index and import numpy while the browser starts."""
    import numpy  # noqa: F401  # takes a tenth of a second

    with suppress(RunloreError, OSError):  # the first request will be told
        suggested_columns(Store(root))


def _listen(host: str, port: int | None) -> tuple[list[socket.socket], str]:
    """Listen on a port, on the first free one from the default on where none is given; also on the other loopback.

    Browsers go to either address by a name of this machine: whoever listened at the other one would get the token.

    Returns:
        The sockets, and the other address on a given port if somebody else listens there.
    """
    last = OSError("no port is free")
    for number in [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + MAX_PORTS), *[0] * MAX_PORTS]:
        try:
            found = _listening(host, number)
        except OSError as error:
            last = error
            continue
        number = found.getsockname()[1]
        other = OTHER_LOOPBACK.get(host)
        try:
            return [found, *([_listening(other, number)] if other else [])], ""
        except OSError as error:
            if error.errno != errno.EADDRINUSE:  # no IPv6 here, say: then nobody else is there either
                return [found], ""
            if port:
                return [found], f"[{other}]:{number}" if ":" in str(other) else f"{other}:{number}"
            found.close()
            last = error
    place = f"{host}:{port}" if port is not None else f"{host}, ports {DEFAULT_PORT} to {DEFAULT_PORT + MAX_PORTS - 1}"
    raise PortTaken(f"can't listen on {place}: {last.strerror or last}; name another with --port or --host") from None


def _listening(host: str, port: int) -> socket.socket:
    # Named as TCP, so that asyncio sends at once: else the body waits 40 ms for the head to be acknowledged.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    return found


def _is_name_known() -> bool:
    """Return True if browsers take names below localhost for this machine: Safari asks the system."""
    if sys.platform != "darwin":
        return True
    try:
        return bool(socket.getaddrinfo(f"{secrets.token_hex(8)}.localhost", None))
    except OSError:
        return False


def _open_browser(folder: Path, page: str) -> None:
    """Open a page from a file that only this user can read: everybody on the machine sees a browser's arguments."""
    path = folder / "open.html"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(page)
    webbrowser.open(path.as_uri())


def is_local(host: str) -> bool:
    """Return True if only this machine can reach a server of this host."""
    return host in LOCAL_HOSTS
