"""The ways to the server: its names, its path behind a proxy, who may tell of others, and which pages may frame it."""

import ipaddress
import os
import re
import socket
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from runlore.errors import SettingError

LOCAL_HOSTS = frozenset(["127.0.0.1", "::1", "localhost"])
ORIGIN = re.compile(r"https?://[a-z0-9_-]+(\.[a-z0-9_-]+)*(:[0-9]{1,5})?")  # no [::1], which policies can't name
HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f.]*:[0-9a-f:.]*\])(:[0-9]{1,5})?", re.I)
OWN = re.compile(r"[0-9a-f]{16}\.localhost")  # a name that a start gives itself
FRAMES = frozenset(["iframe", "frame"])  # what browsers call the destination of a request that fills one


@dataclass(frozen=True, slots=True)
class Reach:
    """The ways to a server that listens on `host`.

    `names` are further host names that requests may call it by, those of a proxy. `base_path` is where the page lies
    for a proxy that leaves it in the path; requests without it are answered, too. Forwarded headers count only if
    they come from one of the addresses in `proxies`. Pages of the origins in `frames` may show the page in a frame.
    `own` is a name that no server had before, so that nothing in a browser belongs to another one.

    Raises:
        SettingError: an item of `frames` is no origin, one of `proxies` no address, or one of `names` no host.
    """

    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    base_path: str = ""
    proxies: tuple[str, ...] = ()
    frames: tuple[str, ...] = ()
    own: str = ""

    def __post_init__(self) -> None:
        for origin in self.frames:
            if not ORIGIN.fullmatch(_origin_of(origin)):
                raise SettingError(f"{origin!r} is no origin: name the other page as http://HOST:PORT, without a path")
        for name in self.names:
            if not _is_host(name):
                meant = name_of(name.rpartition("://")[2].partition("/")[0]) or "runs.lab.example"
                raise SettingError(f"{name!r} is no name of a host: write it without the rest, as in {meant!r}")
        for address in self.proxies:
            if not _is_address(address):
                raise SettingError(f"{address!r} is no address: name the one that the proxy comes from, as 127.0.0.1")

    @property
    def ancestors(self) -> str:
        """The pages that may show this one in a frame, as the header Content-Security-Policy names them."""
        return " ".join(map(_origin_of, self.frames)) or "'none'"

    @property
    def base(self) -> str:
        """The path of the page without a slash at its end, and without escapes, as an address may have been copied."""
        path = unquote(self.base_path).strip("/")
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
        name = name_of(host)
        if name and (name in LOCAL_HOSTS or name == self.own or name in self._named):
            return True
        if self.host in LOCAL_HOSTS:
            return False
        own = (self.host, socket.gethostname(), socket.getfqdn())
        return name in {item.lower() for item in own} or _is_address(name)

    def is_own_origin(self, origin: str, host: str) -> bool:
        """Return True if a page of this origin is the server's own: of the host called, or of a proxy's name."""
        place = origin.partition("://")[2]
        return place == host or name_of(place) in self._named

    def is_shown(self, headers: Headers) -> bool:
        """Return True if the answer fills a tab of the browser, or a frame where there may be one."""
        shown = headers.get("sec-fetch-dest")
        return headers.get("sec-fetch-mode") == "navigate" and (shown == "document" or self.is_framed(headers))

    def is_framed(self, headers: Headers) -> bool:
        """Return True if the answer fills a frame, and there may be one."""
        return bool(self.frames) and headers.get("sec-fetch-dest") in FRAMES

    def without_base(self, scope: Scope) -> Scope:
        """Return a request as if the page lay at the root; its path is empty where the slash behind the base lacks."""
        base = self.base
        if not base or not (scope["path"] == base or scope["path"].startswith(f"{base}/")):
            return scope
        depth = base.count("/")
        rest = scope.get("raw_path", b"").split(b"/", depth + 1)[depth + 1 :]  # behind the base, whatever its escapes
        return {**scope, "path": scope["path"][len(base) :], "raw_path": b"".join(b"/" + part for part in rest)}

    @property
    def _named(self) -> set[str]:
        return {name_of(name) or name.lower() for name in self.names}

    def _is_from_proxy(self, scope: Scope) -> bool:
        client = scope.get("client")
        return client is not None and _plain(client[0]) in map(_plain, self.proxies)


def way_up(scope: Scope) -> str:
    """Return the relative address of the page's root, seen from the path of a request."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return "../" * (raw.partition(b"?")[0].count(b"/") - 1) or "./"


def path_here(port: int) -> str:
    """Return the path of a port behind JupyterHub or code-server, in whose terminal this runs; none elsewhere."""
    prefix = os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "").strip("/")
    pattern = f"/{prefix}/proxy/{{{{port}}}}" if prefix else os.environ.get("VSCODE_PROXY_URI", "")
    try:
        path = urlsplit(pattern.replace("{{port}}", str(port))).path.strip("./")
    except ValueError:
        return ""
    return f"/{path}" if path else ""


def _origin_of(text: str) -> str:
    return text.strip().lower().removesuffix("/")


def _plain(address: str) -> object:
    """Return an address as one that compares equal: a server that listens on :: sees IPv4 addresses within IPv6."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    return getattr(found, "ipv4_mapped", None) or found


def name_of(host: str) -> str:
    """Return the name of a host that may have a port behind it; empty where it is no name."""
    found = HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""


def is_of_a_start(host: str) -> bool:
    """Return True for a name that a server gave itself at some start: browsers look for it on this machine only."""
    return OWN.fullmatch(name_of(host)) is not None


def _is_host(text: str) -> bool:
    """Return True for the name or address of a host, maybe with a port, and nothing else."""
    return bool(name_of(text) or _is_address(text)) and not set(text) & set("/?#@ ")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
