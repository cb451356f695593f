"""A server of the page as a process, and a plain HTTP client."""

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from urllib.parse import urlencode, urlsplit

from runlore.testing.processes import Process
from runlore.testing.warm import WarmParent

ROOT = Path(__file__).parent.parent.parent


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.document["error"]["message"])


START = 'from runlore.cli import main; main(prog_name="runlore")'


class Served:
    """`runlore ui` of a store, on a port of its own; its process is forked from a warm one where that is given."""

    running: ClassVar[list["Served"]] = []

    def __init__(self, store: Path, *options: str, parent: WarmParent | None = None) -> None:
        self.store = store
        start = ["-m", "runlore"] if parent is None else ["-c", START]
        command = [*start, "ui", "--no-browser", "--port", "0", "--store", str(store), *options]
        self.process = Process(command, os.environ, Path.cwd(), parent)
        while "#token=" not in (line := self.process.line()):
            pass
        self.address = line.strip()
        self.root, _, self.token = self.address.partition("enter#token=")
        self.base = self.root.rstrip("/")
        self.port = urlsplit(self.base).port or 0
        self._status = -1
        self.running.append(self)

    @property
    def err(self) -> str:
        """Everything that it has written to stderr."""
        return self.process.err

    def request(self, method: str, path: str, body: bytes | None = None, *, key: bool = True, **headers: str) -> Answer:
        """`headers` have _ for -; with `key` the token goes along."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if key:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            found = {name.lower(): ", ".join(response.headers.get_all(name, [])) for name in response.headers}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def listening(self, stack: ExitStack) -> http.client.HTTPResponse:
        """The stream of news as a page opens it, which has said hello; its connection ends with `stack`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        stack.callback(connection.close)
        connection.request("GET", "/api/live", headers={"Authorization": f"Bearer {self.token}"})
        stream = connection.getresponse()
        assert stream.readline() == b"event: hello\n"
        return stream

    def get(self, path: str, **parameters: Any) -> Any:
        """The document that answers a question."""
        answer = self.request("GET", f"{path}?{urlencode(parameters, doseq=True)}" if parameters else path)
        assert answer.status == 200, answer.body
        return answer.document

    def refused(self, path: str, **parameters: Any) -> Answer:
        return self.request("GET", f"{path}?{urlencode(parameters, doseq=True)}" if parameters else path)

    def post(self, path: str, document: Any) -> Answer:
        return self.request("POST", path, json.dumps(document).encode(), x_runlore_token=self.token)

    def end(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, unless it has; its exit status."""
        if self in self.running:
            self.running.remove(self)
            try:
                self._status = self.process.kill(number)
            finally:
                self.process.end()
        return self._status


Serve = Callable[..., Served]  # a store and options of the command


def run_script(store: Path, *command: str | Path, folder: Path, status: int = 0, **settings: str) -> None:
    """Run Python with a store of its own and nothing on stdout."""
    environment = {
        **os.environ,
        "RUNLORE_STORE": str(store),
        "RUNLORE_QUIET": "1",
        "KERAS_BACKEND": "torch",
        **settings,
    }
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr


def ids(served: Served, where: str, **more: Any) -> list[str]:
    return [row["id"] for row in served.get("/api/runs", where=where, **more)["rows"]]


def named(served: Served, name: str) -> str:
    (found,) = ids(served, f"name == {name!r}", all="children")
    return found


def artifact(served: Served, run: str, name: str) -> str:
    found = served.get(f"/api/runs/{run}")
    (position,) = [item["position"] for item in found["artifacts"] if item["name"] == name]
    return f"/api/runs/{found['id']}/artifacts/{position}"
