"""Debian's Firefox, driven by the standard protocol that it speaks itself (W3C WebDriver BiDi).

Playwright drives a Firefox of its own build only, and Selenium needs geckodriver, which Debian does not have.
"""

import json
import re
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import websocket

from tests.ui.serving import Served

WAIT_S = 60  # for anything: the machine may be busy
LEFT = re.compile(r"The connection to \S+/api/live was interrupted while")  # said as a page is left for another one
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Firefox:
    """A Firefox without a window, with a profile of its own and one page."""

    def __init__(self, program: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        command = [program, "--headless", "--no-remote", "--profile", self._folder.name, "--remote-debugging-port", "0"]
        self._errors = Path(self._folder.name, "stderr")
        with self._errors.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=file)
        self._asked = 0
        self._socket = websocket.create_connection(f"{self._address()}/session", timeout=WAIT_S, suppress_origin=True)
        self._events: list[dict[str, Any]] = []
        self.command("session.new", capabilities={})
        self.command("session.subscribe", events=["log.entryAdded"])
        self._page = self.command("browsingContext.getTree")["contexts"][0]["context"]
        self.command("browsingContext.setViewport", context=self._page, viewport={"width": 1440, "height": 860})

    def _address(self) -> str:
        deadline = time.monotonic() + WAIT_S
        while (found := LISTENS.search(self._errors.read_text(errors="replace"))) is None:
            assert self._process.poll() is None, self._errors.read_text(errors="replace")
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return found[1]

    def command(self, method: str, **parameters: Any) -> Any:
        """The result of a command; events that come meanwhile are kept."""
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": parameters}))
        while (answer := json.loads(self._socket.recv())).get("id") != self._asked:
            self._events.append(answer)
        assert answer["type"] == "success", answer
        return answer["result"]

    def said(self) -> list[str]:
        """What the page was complained of, and nobody has asked for yet."""
        self.ask("1")  # brings what came before
        entries = [event["params"] for event in self._events if event["method"] == "log.entryAdded"]
        self._events.clear()
        said = [f"{entry['level']}: {entry['text']}" for entry in entries if entry["level"] in ("error", "warn")]
        return [text for text in said if not LEFT.search(text)]

    def open(self, served: Served, path: str) -> Self:
        """With the token first, which becomes the cookie."""
        separator = "&" if "?" in path else "?"
        address = f"{served.base}{path}{separator}token={served.token}"
        self.command("browsingContext.navigate", context=self._page, url=address, wait="complete")
        self.until("document.querySelector('.live.on')")
        return self

    def ask(self, expression: str) -> Any:
        """The value of an expression in JavaScript."""
        found = self.command(
            "script.evaluate", expression=f"JSON.stringify({expression})", target={"context": self._page},
            awaitPromise=False,
        )  # fmt: skip
        assert found["type"] == "success", found
        return json.loads(found["result"]["value"])

    def until(self, condition: str) -> None:
        """Until a condition in JavaScript holds."""
        deadline = time.monotonic() + WAIT_S
        while not self.ask(f"Boolean({condition})"):
            assert time.monotonic() < deadline, condition
            time.sleep(0.05)

    def click(self, selector: str) -> None:
        self.until(f"document.querySelector({json.dumps(selector)})")
        where = {"type": "css", "value": selector}
        nodes = self.command("browsingContext.locateNodes", context=self._page, locator=where)["nodes"]
        origin = {"type": "element", "element": {"sharedId": nodes[0]["sharedId"]}}
        move = {"type": "pointerMove", "x": 0, "y": 0, "origin": origin}
        press = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        self._act({"type": "pointer", "id": "mouse", "actions": [move, *press]})

    def type(self, text: str) -> None:
        """Press keys; "\\ue007" is Enter."""
        keys = [{"type": kind, "value": sign} for sign in text for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keys", "actions": keys})

    def _act(self, source: dict[str, Any]) -> None:
        self.command("input.performActions", context=self._page, actions=[source])

    def back(self) -> None:
        self.command("browsingContext.traverseHistory", context=self._page, delta=-1)

    def end(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(WAIT_S)
        self._folder.cleanup()
