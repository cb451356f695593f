"""Access control: requests need the server's token, its own name, and must come from its own pages."""

import hashlib
import hmac
import secrets
from urllib.parse import quote

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runlore.ui.reach import Reach

READ_METHODS = frozenset(["GET", "HEAD"])
CHANGE_HEADER = "x-runlore-token"  # with the token for changes
POLICY = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self' 'unsafe-inline'", "img-src 'self' data: blob:",
        "connect-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ]
)  # fmt: skip
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
LOCKED_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>runlore</title>
<body style="font:16px/1.5 system-ui,sans-serif;max-width:34em;margin:15vh auto;padding:0 1em">
<h1 style="font-size:1.2em">This page needs its key</h1>
<p>Open the address that <code>runlore ui</code> printed in the terminal: it ends in <code>?token=…</code>.
A server that was started again has a new one.</p></body></html>"""


class Keys:
    """The server's token, and two things derived from it: the cookie's name, and the token for changes.

    The page can't read the cookie. It gets the token for changes in an answer that no page of another origin can read.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_urlsafe(32)
        self.changes = hmac.new(self.token.encode(), b"changes", hashlib.sha256).hexdigest()
        self.cookie = f"runlore-{hashlib.sha256(self.token.encode()).hexdigest()[:8]}"  # ports share cookies

    def opens(self, given: str | None) -> bool:
        """Return True if this is the token."""
        return given is not None and hmac.compare_digest(given.encode(), self.token.encode())

    def may_change(self, given: str | None) -> bool:
        """Return True if this is the token for changes, or the token itself."""
        return given is not None and (hmac.compare_digest(given.encode(), self.changes.encode()) or self.opens(given))


class Guard:
    """ASGI middleware that refuses requests without the token, and adds security headers to all answers.

    Requests by a name that is none of `reach` are refused, too, as an attacker can make a name of his own point here
    (DNS rebinding).
    """

    def __init__(self, app: ASGIApp, keys: Keys, reach: Reach) -> None:
        self._app = app
        self._keys = keys
        self._reach = reach

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        scope = self._reach.without_base(scope)
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Return the answer to a request that must not reach the application; None for one that may."""
        headers = Headers(scope=scope)
        host = self._reach.called(scope, headers)
        if not self._reach.is_ours(host):
            return _error(
                400,
                f"this server is not called {host!r}: open the address that `runlore ui` printed, "
                "or start it with --allow-host and the name",
            )
        origin = headers.get("origin")
        if origin is not None and not self._reach.is_own_origin(origin, host):
            return _error(403, "requests from other sites are refused")
        reading = scope["method"] in READ_METHODS
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not self._is_visit(scope, headers):
            return _error(403, "requests from other sites are refused")
        given = QueryParams(scope["query_string"]).get("token")
        if reading and self._keys.opens(given) and not scope["path"].startswith("/api/"):
            return self._welcome(scope, headers)
        if not (self._keys.opens(_cookie(headers, self._keys.cookie)) or self._keys.opens(_bearer(headers))):
            if reading and not scope["path"].startswith("/api/"):
                return HTMLResponse(LOCKED_PAGE, 401)
            return _error(401, "this needs the token: open the address that `runlore ui` printed")
        if not reading and not self._keys.may_change(headers.get(CHANGE_HEADER)):
            return _error(403, f"a change needs the token in the header {CHANGE_HEADER}")
        return None

    def _is_visit(self, scope: Scope, headers: Headers) -> bool:
        """Return True if somebody follows a link of another site to a page: that site can't read the answer."""
        visit = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
        return visit and scope["method"] == "GET" and not scope["path"].startswith("/api/")

    def _welcome(self, scope: Scope, headers: Headers) -> Response:
        """Exchange the token in the address for a cookie, so that it stays out of the browser's history.

        The browser counts the redirect to a visit from another page, and would keep a strict cookie back. A lax one
        goes along with such visits only, which change nothing: changes need a token in a header.
        """
        rest = [(key, value) for key, value in QueryParams(scope["query_string"]).multi_items() if key != "token"]
        # Relative, as the path that the browser sees is a proxy's, and with a dot, so that it leads to no other host.
        target = "./" + quote(scope["path"].rpartition("/")[2]) + (f"?{QueryParams(rest)}" if rest else "")
        response = RedirectResponse(target, 303)
        above = scope["path"] != "/"  # else the browser takes the folder of the address, whatever a proxy makes of it
        response.set_cookie(
            self._keys.cookie, self._keys.token, httponly=True, samesite="lax",
            path=(self._reach.base or "/") if above else None, secure=self._reach.is_encrypted(scope, headers),
        )  # fmt: skip
        return response


def _error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message}}, status)


def _cookie(headers: Headers, name: str) -> str | None:
    """Return the value of a cookie. Malformed ones that other servers of this host have set don't matter."""
    pairs = (pair.strip().partition("=") for text in headers.getlist("cookie") for pair in text.split(";"))
    return next((value for key, _, value in pairs if key == name), None)


def _bearer(headers: Headers) -> str | None:
    kind, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if kind.lower() == "bearer" else None
