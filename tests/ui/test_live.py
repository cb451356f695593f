"""The live stream."""

import http.client
import json
import time
from typing import Any

from runlore import Store


def test_what_is_new_is_told_as_it_happens(store: Store, serve: Any) -> None:
    served = serve(store.root)
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {served.token}"})
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")

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
