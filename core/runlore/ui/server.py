"""The server of the page: it listens on a port, opens the browser, and ends by Ctrl-C."""

import os
import shutil
import socket
import tempfile
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from types import FrameType

import uvicorn

from runlore.analysis.tables import suggested_columns
from runlore.errors import RunloreError
from runlore.store.store import Store
from runlore.ui.app import create_app
from runlore.ui.guard import Keys
from runlore.ui.reach import LOCAL_HOSTS, Reach

DEFAULT_PORT = 6464
MAX_PORTS = 20  # that are tried, from the default one on
SHUTDOWN_S = 1  # for open connections to end


class PortTaken(RunloreError, OSError):
    """The port is in use, or the address is none of this machine."""


class Server:
    """Listens for requests to a store's page; `address` is the URL with the token, `ways` those behind a proxy.

    Raises:
        PortTaken: the port is taken, or the host is none of this machine.
        MissingDependency: plotly is not installed.
    """

    def __init__(self, root: Path, reach: Reach, port: int | None = None) -> None:
        host = reach.host
        keys = Keys()
        closing = threading.Event()
        self.socket = _listen(host, port)
        number = self.socket.getsockname()[1]
        name = f"[{host}]" if ":" in host else {"0.0.0.0": socket.gethostname()}.get(host, host)  # noqa: S104
        self.address = f"http://{name}:{number}/?token={keys.token}"
        self.ways = [f"//{item}{reach.base}/?token={keys.token}" for item in reach.names]
        self._root = root
        config = uvicorn.Config(
            create_app(root, keys, reach, closing), log_level="warning", access_log=False, lifespan="off", ws="none",
            timeout_graceful_shutdown=SHUTDOWN_S, server_header=False, proxy_headers=False,
        )  # fmt: skip
        self._server = _Uvicorn(config, closing)

    def serve(self, *, browser: bool = False) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        threading.Thread(target=_warm, args=(self._root,), daemon=True).start()
        folder = Path(tempfile.mkdtemp(prefix="runlore-ui-")) if browser else None
        try:
            if folder is not None:
                threading.Thread(target=_open_browser, args=(folder, self.address), daemon=True).start()
            self._server.run(sockets=[self.socket])
        except KeyboardInterrupt:
            pass  # uvicorn has shut down, and raises it again
        finally:
            self.socket.close()
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def stop(self) -> None:
        """End `serve` from another thread."""
        self._server.should_exit = True


class _Uvicorn(uvicorn.Server):
    """Sets `closing` before it shuts down, so that the live streams end."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event) -> None:
        super().__init__(config)
        self._closing = closing

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Shut down, on Ctrl-C or SIGTERM."""
        self._closing.set()
        super().handle_exit(sig, frame)


def _warm(root: Path) -> None:
    """Update the index and import numpy while the browser starts."""
    import numpy  # noqa: F401  # takes a tenth of a second

    with suppress(RunloreError, OSError):  # the first request will be told
        suggested_columns(Store(root))


def _listen(host: str, port: int | None) -> socket.socket:
    """Listen on a port; on the first free one from the default on where none is given."""
    last = OSError("no port is free")
    for number in [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + MAX_PORTS):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # Named as TCP, so that asyncio sends at once: else the body waits 40 ms for the head to be acknowledged.
        found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((host, number))
            found.listen(128)
        except OSError as error:
            found.close()
            last = error
            continue
        return found
    place = f"{host}:{port}" if port is not None else f"{host}, ports {DEFAULT_PORT} to {DEFAULT_PORT + MAX_PORTS - 1}"
    raise PortTaken(f"can't listen on {place}: {last.strerror or last}; name another with --port or --host") from None


def _open_browser(folder: Path, address: str) -> None:
    """Open an address by a file that only this user can read: everybody on the machine sees a browser's arguments."""
    page = folder / "open.html"
    descriptor = os.open(page, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(
            f'<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={escape(address)}">'
        )
    webbrowser.open(page.as_uri())


def is_local(host: str) -> bool:
    """Return True if only this machine can reach a server of this host."""
    return host in LOCAL_HOSTS
