"""Reverse proxies in front of the page: nginx where it is installed, and a small one that does as others do."""

import http.client
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection, socket

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/bin")
OF_A_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length"}  # headers that a proxy does not pass on


def free_port() -> int:
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def small_proxy(
    prefix: str, port: int, to: str = "", *, keep_host: bool = True, packs: bool = False, **told: str
) -> Iterator[int]:
    """A proxy below `prefix`, as JupyterHub and code-server have one; yields its port.

    `to` takes the place of the prefix; `told` are headers of its own, with _ for -. One that `packs` compresses what it
    may, and so keeps an answer back until it is whole.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(404)
                return
            target = to + self.path.removeprefix(prefix)
            sent = {key: value for key, value in self.headers.items() if key.lower() not in OF_A_HOP}
            sent |= {key.replace("_", "-"): value for key, value in told.items()}
            if not keep_host:
                sent["Host"] = f"127.0.0.1:{port}"
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            upstream = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            upstream.request(self.command, target or "/", body, sent)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for key, value in answer.getheaders():
                if key.lower() not in OF_A_HOP:
                    self.send_header(key, value)
            self.send_header("Connection", "close")
            self.end_headers()
            with suppress(OSError):  # the browser has gone
                held = packs and "no-transform" not in (answer.getheader("cache-control") or "")
                while block := answer.read() if held else answer.read1():
                    self.wfile.write(block)
            upstream.close()
            self.close_connection = True

        do_GET = do_POST = pass_on  # noqa: N815  # the names that the base class asks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with listening(Handler) as found:
        yield found


@contextmanager
def other_page(body: str) -> Iterator[int]:
    """A server whose only page is not ours; yields its port."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = f'<!doctype html><link rel="icon" href="data:,">{body}'.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with listening(Page) as found:
        yield found


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def nginx(location: str) -> Iterator[int]:
    """nginx with one location; yields its port."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "nginx.conf")
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config.write_text(
            f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
            f"http {{ access_log off; proxy_max_temp_file_size 0; {temporary}\n"
            f"server {{ listen 127.0.0.1:{port}; {location} }} }}\n"
        )
        process = subprocess.Popen([str(NGINX), "-c", str(config), "-e", f"{folder}/error.log"])
        try:
            deadline = time.monotonic() + 60
            while True:
                with suppress(OSError), create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None, Path(folder, "error.log").read_text()
                assert time.monotonic() < deadline, "nginx does not listen"
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(20)
