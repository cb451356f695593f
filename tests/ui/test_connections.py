"""Whoever may connect, who is everybody on the machine, keeps nobody else from being served."""

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from runlore import Store
from runlore.ui import connections, server
from runlore.ui.live import MAX_PAGES
from runlore.ui.reach import Reach
from runlore.ui.server import Server
from tests.ui.serving import Serve

HALF = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "


@contextmanager
def descriptors(most: int) -> Iterator[None]:
    """Gives the processes that are started in the block a limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@contextmanager
def running(root: Path) -> Iterator[Server]:
    """A server in a thread of this process."""
    found = Server(root, Reach(), 0)
    thread = threading.Thread(target=found.serve)
    thread.start()
    try:
        yield found
    finally:
        found.stop()
        thread.join(30)
        found.close()


def has_ended(connection: socket.socket) -> bool:
    """True as soon as the server closes a connection; False if it sends something instead."""
    connection.settimeout(30)
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True


def test_silent_connections_lock_nobody_out_and_fill_no_log(store_of_one: Store, serve: Serve) -> None:
    with descriptors(256):
        served = serve(store_of_one.root, cold=True)
    with ExitStack() as stack:
        strangers = []
        for _ in range(320):
            strangers.append(stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 10)))
            strangers[-1].sendall(HALF)
        for _ in range(3):
            assert served.request("GET", "/api/store").status == 200
        assert has_ended(strangers[0]), "the first ones made room"
        assert len(os.listdir(f"/proc/{served.process.pid}/fd")) < 256
        for connection in strangers[-20:]:
            with suppress(OSError):
                connection.sendall(b"\x00\xff\r\n\r\n")
        assert served.request("GET", "/api/store").status == 200
    assert len(served.err) < 1000, served.err[-500:]


def test_a_stranger_has_a_time_limit_and_the_holder_of_the_key_none(
    store_of_one: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STRANGER_S", 0.3)
    with running(store_of_one.root) as found:
        port = found.sockets[0].getsockname()[1]
        key = {"Authorization": f"Bearer {found.address.partition('#token=')[2]}"}
        holder = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        holder.request("GET", "/api/store", headers=key)
        assert holder.getresponse().read()
        for sent in (b"", HALF, b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), 10) as connection:
                connection.sendall(sent)
                if sent.endswith(b"\r\n\r\n"):
                    assert connection.recv(12) == b"HTTP/1.1 401"
                    while connection.recv(1 << 16):
                        pass  # to the end that the server makes
                else:
                    assert has_ended(connection)
        socket_before = holder.sock
        holder.request("GET", "/api/store", headers=key)
        assert holder.getresponse().status == 200
        assert holder.sock is socket_before is not None, "the same connection, after more than the time of strangers"
        holder.close()


def test_no_more_streams_are_open_than_the_limit(store: Store, serve: Serve) -> None:
    served = serve(store.root)
    with ExitStack() as stack:
        heard = [served.listening(stack) for _ in range(MAX_PAGES + 28)]
        for stream in heard[:28]:
            assert b"event" not in stream.read()


def test_sigterm_leaves_no_folder_behind(store_of_one: Store, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    told = tmp_path / "told"
    os.mkfifo(told)
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {told}\n")
    browser.chmod(0o700)
    command = [sys.executable, "-m", "runlore", "ui", "--port", "0", "--store", str(store_of_one.root)]
    environment = {**os.environ, "BROWSER": str(browser), "TMPDIR": str(shared)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    opened = Path(told.read_text().strip().removeprefix("file://"))
    assert opened.parent.parent == shared
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGTERM
    assert list(shared.iterdir()) == []


def test_odd_forms_of_a_host_are_refused(store_of_one: Store, serve: Serve) -> None:
    served = serve(store_of_one.root)
    odd = [
        "evil.com@127.0.0.1",
        "[::1]evil.com",
        "127.0.0.1:80:80",
        "127.0.0.1:x",
        "[127.0.0.1]",
        "127.0.0.1/x",
        "@",
        ":80",
    ]
    assert {host: served.request("GET", "/api/store", Host=host).status for host in odd} == dict.fromkeys(odd, 400)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as found:
            found.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_nobody_else_listens_at_the_other_loopback(store_of_one: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Browsers try it first for a name of this machine, and would tell whoever is there the key."""
    with running(store_of_one.root) as found:
        port = found.sockets[0].getsockname()[1]
        with socket.create_connection(("::1", port), 10) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 401"
    with socket.socket(socket.AF_INET6) as squatter:
        squatter.bind(("::1", 0))
        squatter.listen()
        port = squatter.getsockname()[1]
        named = Server(store_of_one.root, Reach(), port)
        named.close()
        assert named.taken == f"[::1]:{port}"
        assert named.address.startswith(f"http://127.0.0.1:{port}/")
        assert named.plain == ""
        monkeypatch.setattr(server, "DEFAULT_PORT", port)
        monkeypatch.setattr(server, "MAX_PORTS", 1)
        free = Server(store_of_one.root, Reach())
        free.close()
        assert free.taken == ""
        assert f":{port}/" not in free.address


def test_a_port_is_found_where_somebody_holds_all_of_the_usual_ones(
    store_of_one: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        monkeypatch.setattr(server, "DEFAULT_PORT", squatter.getsockname()[1])
        monkeypatch.setattr(server, "MAX_PORTS", 1)
        found = Server(store_of_one.root, Reach())
        found.close()
        assert found.address.partition("//")[2].partition(".")[2].startswith("localhost:")
