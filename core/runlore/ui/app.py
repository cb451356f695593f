"""The application: the routes of all endpoints, of the page's own files and of the live stream, behind the guard."""

import threading
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from runlore.ui import changes, files, kept, live, media, models, report, runs, tables
from runlore.ui.connections import Connections
from runlore.ui.endpoints import Endpoint, Stores, describe, route
from runlore.ui.guard import Guard, Keys
from runlore.ui.reach import Reach, way_up

STATIC = Path(__file__).parent / "static"
CONTENT_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PAGES = ("/", "/run/{run}", "/compare", "/models", "/find")

ENDPOINTS: list[Endpoint] = [
    *tables.ENDPOINTS, *runs.ENDPOINTS, *files.ENDPOINTS, *media.ENDPOINTS, *report.ENDPOINTS, *models.ENDPOINTS,
    *changes.ENDPOINTS, *kept.ENDPOINTS,
]  # fmt: skip


def create_app(
    root: Path,
    keys: Keys,
    reach: Reach,
    connections: Connections | None = None,
    closing: threading.Event | None = None,
) -> ASGIApp:
    """Make the application that serves a store's folder to those who come by `reach`.

    It tells `connections` which of them show the key. Open live streams end soon after `closing` is set.

    Raises:
        MissingDependency: plotly, which draws the charts, is not installed.
    """
    stores = Stores(root)
    watch = live.Watch(stores, closing or threading.Event())
    routes = [
        *[route(endpoint, stores) for endpoint in ENDPOINTS],
        live.route(watch),
        _session(keys),
        Route("/api/openapi.json", lambda _: JSONResponse(describe(ENDPOINTS))),
        _plotly(),
        *[_static(path) for path in sorted(STATIC.iterdir()) if path.suffix in CONTENT_TYPES],
        *[Route(page, _page) for page in PAGES],
    ]
    app = Starlette(routes=routes, exception_handlers={404: _not_found})
    return Guard(app, keys, reach, connections or Connections())


def _static(path: Path) -> Route:
    """Serve a file of the page from memory; all of them are small."""
    content, kind = path.read_bytes(), CONTENT_TYPES[path.suffix]

    async def respond(_: Request) -> Response:
        return Response(content, media_type=kind)

    return Route(f"/static/{path.name}", respond)


async def _page(request: Request, status: int = 200) -> Response:
    """Serve the page. Its addresses are relative: only the browser knows below which path a proxy has put it."""
    text = (STATIC / "index.html").read_text(encoding="utf-8")
    return HTMLResponse(text.replace("{base}", way_up(request.scope)), status, headers={"cache-control": "no-store"})


async def _not_found(request: Request, _: Exception) -> Response:
    if request.url.path.startswith(("/api/", "/static/")):
        return JSONResponse({"error": {"message": f"there is nothing at {request.url.path}"}}, 404)
    return await _page(request, 404)  # which says that there is nothing


def _session(keys: Keys) -> Route:
    """Serve the token for changes. Browsers let no page of another origin read the answer."""
    return Route("/api/session", lambda _: JSONResponse({"changes": keys.changes}))


def _plotly() -> Route:
    """Serve the library of the charts from the installed plotly."""
    path = report.plotly_source()

    async def respond(_: Request) -> Response:
        return FileResponse(path, media_type="text/javascript", headers={"cache-control": "private, max-age=86400"})

    return Route("/plotly.min.js", respond)
