"""The server: its stores, its port, the browser, and its end."""

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store, open_store
from runlore.artifacts.blobs import hash_file
from tests.commands import runlore
from tests.ui.serving import Served


def test_a_store_that_does_not_exist_yet_is_served_and_appears(tmp_path: Path, serve: Any) -> None:
    served = serve(tmp_path / "new" / ".runlore")
    assert served.get("/api/runs") == {"total": 0, "columns": [], "rows": [], "hints": [], "offset": 0}
    assert served.get("/api/store")["exists"] is False
    assert served.get("/api/columns") == {"columns": []}
    assert not (tmp_path / "new").exists()
    with open_store(tmp_path / "new" / ".runlore").start_run("first"):
        pass
    assert served.get("/api/runs")["total"] == 1


def test_a_read_only_copy_is_served(real_store: Path, tmp_path: Path, serve: Any) -> None:
    shutil.copytree(real_store, tmp_path / "copy")
    for path in sorted((tmp_path / "copy").rglob("*"), reverse=True):
        path.chmod(0o555 if path.is_dir() else 0o444)
    served = serve(tmp_path / "copy")
    assert served.get("/api/runs")["total"] > 12


def test_the_server_ends_while_pages_listen(store: Store, serve: Any) -> None:
    served = serve(store.root)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {served.token}"})
    connection.getresponse().readline()
    assert served.end(2) == 0
    connection.close()


def test_nothing_of_the_server_is_in_the_store(real: Served) -> None:
    """Its token least of all."""
    for path in (item for item in real.store.rglob("*") if item.is_file()):
        assert real.token.encode() not in path.read_bytes()
    assert hash_file(real.store / "format")


def test_another_host_is_told_of_and_asks_for_the_token_too(serve: Callable[..., Served], store: Store) -> None:
    with store.start_run("only"):
        pass
    served = serve(store.root, "--host", "0.0.0.0")
    assert served.request("GET", "/api/store", key=False).status == 401
    assert served.request("GET", "/api/store").status == 200
    assert served.request("GET", "/api/store", Host=f"10.1.2.3:{served.port}").status == 200
    assert served.request("GET", "/api/store", Host=f"{socket.gethostname()}:{served.port}").status == 200
    assert served.request("GET", "/api/store", Host="evil.example").status == 400
    served.process.send_signal(signal.SIGINT)
    _, printed = served.process.communicate(timeout=30)
    assert "not encrypted" in printed
    assert served.process.returncode == 0


def test_a_taken_port_and_a_strange_host_are_told(serve: Callable[..., Served], store: Store) -> None:
    served = serve(store.root)
    taken = runlore("ui", "--no-browser", "--port", str(served.port))
    assert (taken.exit_code, "in use" in taken.stderr, "--port" in taken.stderr) == (1, True, True)
    strange = runlore("ui", "--no-browser", "--host", "192.0.2.1")
    assert (strange.exit_code, "192.0.2.1" in strange.stderr) == (1, True)


def test_the_browser_is_opened_without_the_token_in_its_arguments(
    serve: Callable[..., Served], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everybody on a machine sees the arguments of processes."""
    fake = tmp_path / "browser"
    told, done = tmp_path / "told", tmp_path / "done"
    fake.write_text(f"""#!/bin/sh
file="${{1#file://}}"
{{ echo "$@"; stat -c %a "$file"; cat "$file"; }} > {told}
touch {done}
""")
    fake.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(fake))
    command = [sys.executable, "-m", "runlore", "ui", "--port", "0", "--store", str(store.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    address = next(line.strip() for line in process.stdout if "?token=" in line)
    while not done.exists():
        assert process.poll() is None
        os.sched_yield()
    arguments, mode, page = told.read_text().splitlines()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    token = address.partition("token=")[2]
    assert token not in arguments
    assert mode == "600"
    assert token in page
    assert not Path(arguments.removeprefix("file://")).exists()
