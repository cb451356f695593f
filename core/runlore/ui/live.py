"""The live stream: server-sent events that tell pages which runs have changed."""

import threading
import time
from collections.abc import AsyncIterator

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from runlore.analysis.tables import states
from runlore.ui.endpoints import Stores, dump

POLL_S = 0.5  # between two looks at the store …
BUSY_S = 1.0  # … and behind one that found something: a run that logs all the time is not worth more
PING_S = 15.0  # of silence, after which a comment is sent: so a closed connection is noticed
MAX_PAGES = 32  # that listen at once; proxies may keep the connections of pages that were closed
MAX_NAMED = 500  # runs in one event; of others it only says that there are more

States = dict[str, tuple[int, int, str]]  # by run

# nginx would keep events back until it has many, and code-server, which packs what it may, until it has all.
UNBUFFERED = {"x-accel-buffering": "no", "cache-control": "no-store, no-transform"}


class Watch:
    """Looks at the store for all pages together."""

    def __init__(self, stores: Stores, closing: threading.Event) -> None:
        self.closing = closing  # set when the server ends, so that it does not wait for the streams
        self._stores = stores
        self._lock = anyio.Lock()
        self._states: States = {}
        self._looked = -POLL_S  # monotonic seconds
        self._listening: list[anyio.Event] = []  # those that have listened longest first; each ends its stream

    def enter(self) -> anyio.Event:
        """Let a page listen until the event is set. The one that has listened longest makes room: it asks again."""
        while len(self._listening) >= MAX_PAGES:
            self._listening.pop(0).set()
        self._listening.append(anyio.Event())
        return self._listening[-1]

    def leave(self, ended: anyio.Event) -> None:
        """Note that a page no longer listens."""
        if ended in self._listening:
            self._listening.remove(ended)

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
        return StreamingResponse(_events(watch), media_type="text/event-stream", headers=UNBUFFERED)

    return Route("/api/live", respond)


async def _events(watch: Watch) -> AsyncIterator[bytes]:
    ended = watch.enter()
    try:
        seen = await watch.look()
        yield _event("hello", {"total": len(seen)})
        told = time.monotonic()
        pause = POLL_S
        while not (watch.closing.is_set() or ended.is_set()):
            with anyio.move_on_after(pause):
                await ended.wait()
                return
            now = await watch.look()
            changed = [run_id for run_id, state in now.items() if seen.get(run_id) != state] if now is not seen else []
            gone = [run_id for run_id in seen if run_id not in now] if now is not seen else []
            new = len(now.keys() - seen.keys()) if changed else 0
            seen = now
            pause = BUSY_S if changed or gone else POLL_S
            if changed or gone:
                document = {"runs": changed[:MAX_NAMED], "gone": gone[:MAX_NAMED], "new": new, "total": len(now)}
                yield _event("changed", {**document, "more": len(changed) > MAX_NAMED or len(gone) > MAX_NAMED})
                told = time.monotonic()
            elif time.monotonic() - told > PING_S:
                yield b": nothing new\n\n"
                told = time.monotonic()
    finally:
        watch.leave(ended)


def _event(name: str, document: object) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + dump(document) + b"\n\n"
