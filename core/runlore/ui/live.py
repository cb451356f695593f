"""What is new in the store, told to the page as it happens: server-sent events."""

import threading
import time
from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runlore.analysis.tables import states
from runlore.ui.endpoints import Stores, dump

INTERVAL = 0.5  # seconds between looks
PING = 15.0  # seconds of silence after which a comment is sent, so that a connection that is gone is noticed
PAGES = 32  # that listen at the most
TOLD = 500  # runs that one event names; of more it says so

State = dict[str, tuple[int, int, str]]


class Watch:
    """Looks at the store, for all pages together, and only while one listens."""

    def __init__(self, stores: Stores, closing: threading.Event) -> None:
        self.closing = closing  # set when the server is told to end, so that it need not wait for pages
        self._stores = stores
        self._lock = anyio.Lock()
        self._seen: State = {}
        self._at = -INTERVAL
        self.listening = 0

    async def look(self) -> State:
        """How all runs are now, or were half an interval ago."""
        async with self._lock:
            if time.monotonic() - self._at > INTERVAL / 2:
                self._seen = await self._stores.ask(states)
                self._at = time.monotonic()
            return self._seen


def route(watch: Watch) -> Route:
    """The stream of changes."""

    async def respond(_: Request) -> Response:
        if watch.listening >= PAGES:
            return JSONResponse({"error": {"message": f"{PAGES} pages listen already"}}, 429)
        return StreamingResponse(_events(watch), media_type="text/event-stream")

    return Route("/api/live", respond)


async def _events(watch: Watch) -> AsyncIterator[bytes]:
    watch.listening += 1
    try:
        seen = await watch.look()
        yield _event("hello", {"total": len(seen)})
        told = time.monotonic()
        while not watch.closing.is_set():
            await anyio.sleep(INTERVAL)
            now = await watch.look()
            changed = [run_id for run_id, state in now.items() if seen.get(run_id) != state] if now is not seen else []
            gone = [run_id for run_id in seen if run_id not in now] if now is not seen else []
            new = len(now.keys() - seen.keys()) if changed else 0
            seen = now
            if changed or gone:
                document = {"runs": changed[:TOLD], "gone": gone[:TOLD], "new": new, "total": len(now)}
                yield _event("changed", {**document, "more": len(changed) > TOLD or len(gone) > TOLD})
                told = time.monotonic()
            elif time.monotonic() - told > PING:
                yield b": nothing new\n\n"
                told = time.monotonic()
    finally:
        watch.listening -= 1


def _event(name: str, document: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dump(document) + b"\n\n"
