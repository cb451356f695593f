"""Connections to the server: those of strangers, who have not shown the key yet, are few and short.

Everybody on the machine can connect. Without bounds a thousand silent connections would take all descriptors, and keep
the key's holder out.
"""

import asyncio
import resource
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_STRANGERS = 128  # at once; the one that has been there longest makes room
STRANGER_S = 15.0  # until the key is shown, or the connection ends
Peer = tuple[str, int]


class Connections:
    """Watches the connections of one server."""

    def __init__(self) -> None:
        descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._most = max(8, min(MAX_STRANGERS, descriptors // 4 if descriptors > 0 else MAX_STRANGERS))
        self._strangers: dict[Peer, tuple[asyncio.BaseTransport, asyncio.TimerHandle]] = {}  # oldest first

    def opened(self, transport: Any) -> None:
        """Take a connection for a stranger's until `trust` is called."""
        peer = _peer_of(transport)
        if peer is None:
            return
        timer = asyncio.get_running_loop().call_later(STRANGER_S, transport.abort)
        self._strangers[peer] = (transport, timer)
        if len(self._strangers) > self._most:
            oldest, _ = self._strangers[next(iter(self._strangers))]
            self.closed(oldest)
            oldest.abort()  # type: ignore[attr-defined]  # all transports of streams have it

    def trust(self, peer: Peer | None) -> None:
        """Note that the key was shown over a connection."""
        if peer is not None:
            self._forget(tuple(peer))  # type: ignore[arg-type]

    def closed(self, transport: Any) -> None:
        """Note that a connection has ended."""
        peer = _peer_of(transport)
        if peer is not None:
            self._forget(peer)

    def _forget(self, peer: Peer) -> None:
        found = self._strangers.pop(peer, None)
        if found is not None:
            found[1].cancel()


def watched_by(connections: Connections) -> type[asyncio.Protocol]:
    """Return uvicorn's protocol, whose connections are watched."""

    class Watched(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # the one of two that is installed
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            connections.opened(transport)

        def connection_lost(self, error: Exception | None) -> None:
            connections.closed(self.transport)
            super().connection_lost(error)

    return Watched


def _peer_of(transport: Any) -> Peer | None:
    name = transport.get_extra_info("peername")
    return (str(name[0]), int(name[1])) if isinstance(name, tuple) else None
