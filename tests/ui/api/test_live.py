"""The server while runs are written, while many ask, and as it ends."""

import http.client
import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from runlore import Store, open_store
from runlore.artifacts.copying import hash_file
from runlore.ui.live import MAX_PAGES
from tests.ui.serving import Served


def test_what_is_new_is_told_as_it_happens(store: Store, serve: Any) -> None:
    served = serve(store.root)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {served.token}"})
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert (
        "no-transform" in stream.headers["cache-control"]
    )  # else code-server packs it, and sends nothing before its end

    def event() -> tuple[str, Any]:
        lines: list[str] = []
        while (line := stream.readline().decode().strip()) or not lines:
            lines.append(line)
        fields = dict(line.split(": ", 1) for line in lines if line)
        return fields["event"], json.loads(fields["data"])

    assert event() == ("hello", {"total": 0})
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0})
        name, told = event()
        assert (name, told["runs"], told["new"], told["total"]) == ("changed", [run.id], 1, 1)
        began = time.monotonic()
        run.log_metrics({"loss": 0.5})
        while event()[1]["runs"] != [run.id]:
            pass
        assert time.monotonic() - began < 15
        (curve,) = served.get("/api/curves", runs=run.id, key="loss")["curves"]
        assert curve["y"][-1] == 0.5
    while served.get(f"/api/runs/{run.id}")["status"] != "finished":
        event()
    connection.close()


def test_a_store_that_does_not_exist_yet_is_served_and_appears(tmp_path: Path, serve: Any) -> None:
    served = serve(tmp_path / "new" / ".runlore")
    assert served.get("/api/runs") == {"total": 0, "columns": [], "rows": [], "hints": [], "offset": 0, "archived": 0}
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


@pytest.mark.stress
def test_many_questions_at_once_are_answered(many: Served) -> None:
    def ask(number: int) -> int:
        return int(many.get("/api/runs", where=f"params.seed == {number}", columns="params.lr")["total"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(1000, 1200))) == [10] * 200


def test_a_page_listens_however_many_a_proxy_never_closed(store: Store, serve: Any) -> None:
    """Jupyter's proxy keeps the connections of closed pages: after 32 of them no page was once told what is new."""
    served = serve(store.root)
    with ExitStack() as stack:
        heard = [served.listening(stack) for _ in range(MAX_PAGES + 3)]
        for stream in heard[:3]:
            stream.read()  # to its end
        with store.start_run("live"):
            for stream in heard[3:]:
                while stream.readline() != b"event: changed\n":
                    pass


def test_the_server_ends_while_pages_listen(store: Store, serve: Any) -> None:
    served = serve(store.root)
    with ExitStack() as stack:
        served.listening(stack)
        assert served.end(2) == 0


def test_nothing_of_the_server_is_in_the_store(real: Served) -> None:
    """Its token least of all."""
    for path in (item for item in real.store.rglob("*") if item.is_file()):
        assert real.token.encode() not in path.read_bytes()
    assert hash_file(real.store / "format")
