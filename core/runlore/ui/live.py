"""The live stream: server-sent events that tell pages which runs have changed."""

import threading
import time
from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runlore.analysis.tables import states
from runlore.ui.endpoints import Stores, dump

POLL_S = 0.5  # between two looks at the store
PING_S = 15.0  # of silence, after which a comment is sent: so a closed connection is noticed
MAX_PAGES = 32  # that listen at once
MAX_NAMED = 500  # runs in one event; of others it only says that there are more

States = dict[str, tuple[int, int, str]]  # by run

UNBUFFERED = {"x-accel-buffering": "no"}  # nginx would keep events back until it has many


class Watch:
    """Looks at the store for all pages together."""

    def __init__(self, stores: Stores, closing: threading.Event) -> None:
        self.closing = closing  # set when the server ends, so that it does not wait for the streams
        self._stores = stores
        self._lock = anyio.Lock()
        self._states: States = {}
        self._looked = -POLL_S  # monotonic seconds
        self.listening = 0

    async def look(self) -> States:
        """Return the states of all runs, at most half an interval old; the same object until the next look."""
        async with self._lock:
            if time.monotonic() - self._looked > POLL_S / 2:
                self._states = await self._stores.ask(states)
                self._looked = time.monotonic()
            return self._states


def route(watch: Watch) -> Route:
    """Make the route of the live stream."""

    async def respond(_: Request) -> Response:
        if watch.listening >= MAX_PAGES:
            return JSONResponse({"error": {"message": f"{MAX_PAGES} pages listen already: close one of them"}}, 429)
        return StreamingResponse(_events(watch), media_type="text/event-stream", headers=UNBUFFERED)

    return Route("/api/live", respond)


async def _events(watch: Watch) -> AsyncIterator[bytes]:
    watch.listening += 1
    try:
        seen = await watch.look()
        yield _event("hello", {"total": len(seen)})
        told = time.monotonic()
        while not watch.closing.is_set():
            await anyio.sleep(POLL_S)
            now = await watch.look()
            changed = [run_id for run_id, state in now.items() if seen.get(run_id) != state] if now is not seen else []
            gone = [run_id for run_id in seen if run_id not in now] if now is not seen else []
            new = len(now.keys() - seen.keys()) if changed else 0
            seen = now
            if changed or gone:
                document = {"runs": changed[:MAX_NAMED], "gone": gone[:MAX_NAMED], "new": new, "total": len(now)}
                yield _event("changed", {**document, "more": len(changed) > MAX_NAMED or len(gone) > MAX_NAMED})
                told = time.monotonic()
            elif time.monotonic() - told > PING_S:
                yield b": nothing new\n\n"
                told = time.monotonic()
    finally:
        watch.listening -= 1


def _event(name: str, document: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dump(document) + b"\n\n"
