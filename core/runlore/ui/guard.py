"""Access control: requests need the server's token, its own name, and must come from its own pages."""

import hashlib
import hmac
import secrets
from urllib.parse import parse_qs, quote

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runlore.ui.connections import Connections
from runlore.ui.entrance import ENTRY, MAX_ENTRY_BYTES, SCRIPT_HASH, earlier_start, locked, unknown_host
from runlore.ui.reach import LOCAL_HOSTS, Reach, is_of_a_start, name_of, way_up

READ_METHODS = frozenset(["GET", "HEAD"])
PROXIES_SAY = frozenset(
    ["forwarded", "via", "x-real-ip", "x-proxycontextpath"]
)  # and headers that begin with x-forwarded-
CHANGE_HEADER = "x-runlore-token"  # with the token for changes
POLICY = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:",
        "media-src 'self'",
        "connect-src 'self'", "base-uri 'none'", "form-action 'none'",
    ]
)  # fmt: skip
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Keys:
    """The server's token, and what is derived from it: the cookie with its name, and the token for changes.

    The page can't read the cookie. It gets the token for changes in an answer that no page of another origin can read.
    Who learns one of them has not learnt the others.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.changes = self._derived("changes")
        self.session = self._derived("session")
        self.cookie = f"runlore-{self._derived('cookie')[:8]}"  # ports of 127.0.0.1 share cookies

    def opens(self, given: str | None) -> bool:
        """Return True if this is the token."""
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def is_session(self, given: str) -> bool:
        """Return True if this is the value of the cookie."""
        return hmac.compare_digest(given.encode(), self.session.encode())

    def may_change(self, given: str | None) -> bool:
        """Return True if this is the token for changes, or the token itself."""
        return given is not None and (hmac.compare_digest(given.encode(), self.changes.encode()) or self.opens(given))

    def _derived(self, purpose: str) -> str:
        return hmac.new(self.token.encode(), purpose.encode(), hashlib.sha256).hexdigest()


class Guard:
    """ASGI middleware that refuses requests without the token, and adds security headers to all answers.

    Requests by a name that is none of `reach` are refused, too, as an attacker can make a name of his own point here
    (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, keys: Keys, reach: Reach, connections: Connections) -> None:
        self._app = app
        self._keys = keys
        self._reach = reach
        self._connections = connections

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers(scope).items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        scope = self._reach.without_base(scope)
        refusal = self._refusal(scope)
        if refusal is None and _is_entry(scope):
            refusal = await self._enter(scope, receive)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _headers(self, scope: Scope) -> dict[str, str]:
        """Return the headers of an answer. Only pages may be framed: recorded files have policies of their own."""
        policy = {"content-security-policy": f"{POLICY}; frame-ancestors {self._reach.ancestors}"}
        may_be_framed = self._reach.frames and not scope["path"].startswith("/api/")
        return HEADERS | policy | ({} if may_be_framed else {"x-frame-options": "DENY"})

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that must not reach the application; None for one that may."""
        headers = Headers(scope=scope)
        host = self._reach.called(scope, headers)
        if not self._reach.is_ours(host):
            why = f"this server is not called {host!r}"
            if _is_of_a_page(scope) and is_of_a_start(host):
                return earlier_start(f"{quote(scope['path'])}{_query(scope)}")  # as it was written: it may hold lines
            if _is_of_a_page(scope):
                return unknown_host(why, name_of(host) or "HOST")
            way = "open the address that `runlore ui` printed, or start it with --allow-host and the name"
            return _error(400, f"{why}: {way}")
        if _is_entry(scope):
            return None  # whoever has the token may send it from everywhere, also from a file
        origin = headers.get("origin")
        if origin is not None and not self._reach.is_own_origin(origin, host):
            name = name_of(origin.partition("://")[2]) or "HOST"
            return _error(403, f"requests from other sites are refused: behind a proxy, start with --allow-host {name}")
        if not scope["path"]:
            return RedirectResponse(f"./{quote(self._reach.base.rpartition('/')[2])}/{_query(scope)}", 307)
        reading = scope["method"] in READ_METHODS
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not self._is_visit(scope, headers):
            return _error(403, "requests from other sites are refused")
        if reading and scope["path"] == ENTRY:
            return self._locked(scope, headers, 404)  # an address where something is would be shown in the history
        given = QueryParams(scope["query_string"]).get("token")
        if reading and self._keys.opens(given) and not scope["path"].startswith("/api/"):
            return self._welcome(scope)
        if not (self._has_cookie(headers) or self._keys.opens(_bearer(headers))):
            if _is_of_a_page(scope):
                return self._locked(scope, headers)
            return _error(401, "this needs the token: open the address that `runlore ui` printed")
        self._connections.trust(scope.get("client"))
        if not reading and not self._keys.may_change(headers.get(CHANGE_HEADER)):
            return _error(403, f"a change needs the token in the header {CHANGE_HEADER}")
        return None

    def _locked(self, scope: Scope, headers: Headers, status: int = 401) -> Response:
        """Return the page for those without the token, whose script takes it from the address."""
        answer = locked(status, way_up(scope), is_framed=self._reach.is_framed(headers))
        policy = self._headers(scope)["content-security-policy"].replace("form-action 'none'", "form-action 'self'")
        answer.headers["content-security-policy"] = policy.replace("script-src 'self'", f"script-src {SCRIPT_HASH}")
        return answer

    def _is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Return True if somebody follows a link of another site to a page: that site can't read the answer.

        A frame is one, too, where there may be frames: the browser shows it in none but those of the named pages.
        """
        return self._reach.is_shown(headers) and scope["method"] == "GET" and not scope["path"].startswith("/api/")

    def _welcome(self, scope: Scope) -> Response:
        """Exchange the token in the query of an address for a cookie, for those who write such an address themselves.

        The browser's history keeps such an address; the one that is printed has the token where no history does.
        Only the browser knows below which path a proxy has put the page, and gives the cookie the folder of the address
        that sets it: so an address within the page leads to its root first, and `then` back. Other paths of the host
        may be other people's.
        """
        given = QueryParams(scope["query_string"]).multi_items()
        page = scope["path"].lstrip("/")
        if page:
            steps = QueryParams([*given, ("then", page)])
            return RedirectResponse(f"{way_up(scope)}?{steps}", 303)
        rest = QueryParams([(key, value) for key, value in given if key not in ("token", "then")])
        return self._admitted(scope, dict(given).get("then", ""), str(rest), "")

    async def _enter(self, scope: Scope, receive: Receive) -> Response:
        """Exchange the token in a form for a cookie: of the page that the printed address shows, or of a file."""
        text = b""
        async for chunk in Request(scope, receive).stream():
            text += chunk
            if len(text) > MAX_ENTRY_BYTES:
                return _error(400, f"a form with the token has at most {MAX_ENTRY_BYTES:,} bytes")
        given = {name: values[-1] for name, values in parse_qs(text.decode("latin-1")).items()}
        if not self._keys.opens(given.get("token")):
            return self._locked(scope, Headers(scope=scope))
        self._connections.trust(scope.get("client"))
        path, _, query = given.get("then", "").partition("?")
        return self._admitted(scope, path, query, given.get("at", ""))

    def _admitted(self, scope: Scope, path: str, query: str, at: str) -> Response:
        """Lead to a page with the cookie; where other servers had this address, the browser forgets what they left.

        `at` is where the browser says that it is, as host, port and path; empty if it is not known.

        The address is relative, as the path that the browser sees is a proxy's, and has a dot, so that it leads to no
        other host.
        """
        headers = Headers(scope=scope)
        answer = RedirectResponse(f"./{quote(path.lstrip('/'))}{'?' if query else ''}{query}", 303)
        for cookie in self._cookies(scope, headers):
            answer.headers.append("set-cookie", cookie)
        if self._is_direct(scope, headers, at):
            answer.headers["clear-site-data"] = '"cache", "storage"'
        return answer

    def _is_direct(self, scope: Scope, headers: Headers, at: str) -> bool:
        """Return True if no proxy is between: else all that a browser keeps for its other pages would be forgotten.

        A proxy may pass a name of ours on as the host, and say nothing of itself: the browser has to say it, too.
        """
        _, port = scope.get("server") or ("", 0)
        host = headers.get("host", "")
        is_told = any(name.startswith("x-forwarded-") or name in PROXIES_SAY for name in headers)
        return name_of(host) in LOCAL_HOSTS and host.endswith(f":{port}") and at == f"{host}/" and not is_told

    def _has_cookie(self, headers: Headers) -> bool:
        """Return True if one of the cookies of our name is right: another server of this host can add wrong ones."""
        return any(map(self._keys.is_session, _cookies_named(headers, self._keys.cookie)))

    def _cookies(self, scope: Scope, headers: Headers) -> list[str]:
        """Return the cookie; for a frame also one that browsers keep for frames within that other site.

        The browser counts the redirect to a visit from another page, and would keep a strict cookie back. A lax one
        goes along with such visits only, which change nothing: changes need a token in a header. The one for frames
        goes along with requests from other pages of that site, too, which are refused by their headers.
        """
        pair = f"{self._keys.cookie}={self._keys.session}; HttpOnly"
        secure = "; Secure" if self._reach.is_encrypted(scope, headers) else ""
        of_frames = [f"{pair}; SameSite=none; Secure; Partitioned"] if self._reach.is_framed(headers) else []
        return [f"{pair}; SameSite=lax{secure}", *of_frames]


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)


def _is_of_a_page(scope: Scope) -> bool:
    """Return True for a request that a person may see the answer of."""
    return scope["method"] in READ_METHODS and not scope["path"].startswith("/api/")


def _is_entry(scope: Scope) -> bool:
    return bool(scope["path"] == ENTRY and scope["method"] == "POST")


def _query(scope: Scope) -> str:
    query: bytes = scope["query_string"]
    return f"?{query.decode('latin-1')}" if query else ""


def _cookies_named(headers: Headers, name: str) -> list[str]:
    """Return the values of all cookies of a name. Malformed ones, which other servers may have set, don't matter."""
    pairs = (pair.strip().partition("=") for text in headers.getlist("cookie") for pair in text.split(";"))
    return [value for key, _, value in pairs if key == name]


def _bearer(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else None
