"""The ways to the server: the names that it is called by, its path behind a proxy, and who may tell of others."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

LOCAL_HOSTS = frozenset(["127.0.0.1", "::1", "localhost"])


@dataclass(frozen=True, slots=True)
class Reach:
    """The ways to a server that listens on `host`.

    `names` are further host names that requests may call it by, those of a proxy. `base_path` is where the page lies
    for a proxy that leaves it in the path; requests without it are answered, too. Forwarded headers count only if
    they come from one of the addresses in `proxies`.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    base_path: str = ""
    proxies: tuple[str, ...] = ()

    @property
    def base(self) -> str:
        """The path of the page without a slash at its end."""
        path = self.base_path.strip("/")
        return f"/{path}" if path else ""

    def called(self, scope: Scope, headers: Headers) -> str:
        """Return the host, maybe with a port, that a request was sent to."""
        forwarded = headers.get("x-forwarded-host", "") if self._is_from_proxy(scope) else ""
        return forwarded.rpartition(",")[2].strip() or headers.get("host", "")

    def is_encrypted(self, scope: Scope, headers: Headers) -> bool:
        """Return True if a proxy says that the browser speaks HTTPS with it."""
        return self._is_from_proxy(scope) and headers.get("x-forwarded-proto", "").rpartition(",")[2].strip() == "https"

    def is_ours(self, host: str) -> bool:
        """Return True if this is a name of the server: else somebody may have made a name of his own point here."""
        name = _name_of(host)
        if name in LOCAL_HOSTS or name in self._named:
            return True
        if self.host in LOCAL_HOSTS:
            return False
        own = (self.host, socket.gethostname(), socket.getfqdn())
        return name in {item.lower() for item in own} or _is_address(name)

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Return True if a page of this origin is the server's own: of the host called, or of a proxy's name."""
        place = origin.partition("://")[2]
        return place == host or _name_of(place) in self._named

    def without_base(self, scope: Scope) -> Scope:
        """Return a request as if the page lay at the root."""
        base = self.base
        if not base or not (scope["path"] == base or scope["path"].startswith(f"{base}/")):
            return scope
        raw = scope.get("raw_path", b"")
        prefix = base.encode()
        bare = raw[len(prefix) :] if raw.startswith(prefix) else raw
        return {**scope, "path": scope["path"][len(base) :] or "/", "raw_path": bare or b"/"}

    @property
    def _named(self) -> set[str]:
        return {_name_of(name) or name.lower() for name in self.names}

    def _is_from_proxy(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and client[0] in self.proxies


def way_up(scope: Scope) -> str:
    """Return the relative address of the page's root, seen from the path of a request."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return "../" * (raw.partition(b"?")[0].count(b"/") - 1) or "./"


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
