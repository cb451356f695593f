"""Make one page of a view of runs that is complete in itself: to send to somebody, without a server.

It is made of the modules of the page, of which one (`snapshot.js`) answers from the content in place of the server. No
request leaves it: its policy allows none, and its scripts are named there by their hashes.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from starlette.responses import HTMLResponse, Response

from runlore import __version__
from runlore.analysis.tables import suggested_columns
from runlore.errors import MissingDependency
from runlore.plugins.manager import plugins
from runlore.store.store import Store
from runlore.ui import kept, runs, tables
from runlore.ui.endpoints import Endpoint, Parameter, Refused, dump
from runlore.ui.files import SANDBOX

STATIC = Path(__file__).parent / "static"
ENTRY = "report.js"
SERVED = frozenset(["api.js", "base.js", "memory.js", "state.js"])  # modules that need a server or an address
SNAPSHOT = "snapshot.js"  # stands in their place
RUN_PATH = re.compile(r"/run/([^/]+)$")
IMPORT = re.compile(r'(?<=from ")\./([\w.]+)(?=")')
NAME = "name of it"
NAMED = frozenset(["curves", "bands", "field", "group"])  # beside one of them, "key" is the name of what is shown
MAX_ROWS = 1000  # of the table
MAX_CHARTS = 200
MAX_POINTS = 400_000  # of all curves together
FEWEST, FINEST = 100, 1000  # points of a curve
SHOWN = 8  # runs with curves where none is chosen, as on the page
SUGGESTED = 6  # columns where none is chosen
TOLD = (
    "id", "name", "experiment", "status", "started", "ended", "duration_s", "tags", "params", "captured", "metrics",
    "summary", "data", "notes", "segments", "missing", "error", "children", "children_count",
)  # fmt: skip
KNOWN = frozenset(  # what the page's addresses have behind the ?
    "q exp all archived cols less sort sel runs group over tab at dims dlog brush pc sx sy sc slogx slogy hx hy hm bm "
    "bx bc blogy im made token then".split()
)
ALSO = {"all": "children", "archived": "archived"}  # of an address: what it shows, too
CHART_SETTINGS = ("x", "smooth", "logx", "logy", "outliers", "find", "top", "hide", "with", "band", "colour", "ys")


@dataclass(frozen=True, slots=True)
class View:
    """A view of the page, as one of its addresses shows it."""

    where: str = ""
    also: tuple[str, ...] = ()  # of "children" and "archived"
    columns: tuple[str, ...] = ()
    sort: str = ""
    chosen: tuple[str, ...] = ()  # runs
    by: tuple[str, ...] = ()  # fields whose values form groups
    over: tuple[str, ...] = ()  # fields that tell repetitions within a group apart
    compares: bool = False
    by_name: bool = False  # `chosen` are what people call runs, and all that is shown
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the charts; `less`: columns not shown

    @classmethod
    def at(cls, address: str) -> "View":
        """Return the view of an address, or of what stands behind the `?` in it.

        Raises:
            Refused: it is none of the table of runs, of a comparison or of a run.
        """
        try:
            parts = urlsplit(address if "?" in address or "/" in address else f"?{address}")
        except ValueError as error:
            raise Refused(f"view is {address!r}, which is no address: {error}") from None
        found = parse_qs(parts.query, keep_blank_values=True)
        unknown = [name for name in found if name not in KNOWN and name not in CHART_SETTINGS]
        if unknown or not (parts.query or parts.path):
            what = f"has {unknown[0]!r}, which" if unknown else "is empty: it"
            raise Refused(f"view {what} is no part of the page's addresses; copy one from the browser")
        one = {name: values[-1] for name, values in found.items()}
        found = {name: list(dict.fromkeys(values)) for name, values in found.items()}
        compares, of_run, group = parts.path.endswith("/compare"), RUN_PATH.search(parts.path), found.get("group", ())
        if parts.path and not (compares or of_run or parts.path.endswith("/")):
            raise Refused(f"view is {address!r}: it is an address of the table of runs, of a comparison or of a run")
        runs_of = (unquote(of_run[1]),) if of_run else tuple(found.get("runs" if compares else "sel", ()))
        where, experiment = one.get("q", ""), one.get("exp", "")
        if experiment:
            own = f"experiment == {json.dumps(experiment)}"
            where = f"{own} and ({where})" if where else own
        also = tuple(word for name, word in ALSO.items() if one.get(name) == "1")
        lists = {name: found.get(name, []) for name in ("top", "hide", "with", "less", "ys")}
        settings = {name: one[name] for name in CHART_SETTINGS if name in one} | lists
        return cls(
            where, also, tuple(found.get("cols", ())), one.get("sort", ""),
            runs_of, () if compares or of_run else tuple(group), tuple(found.get("over", ())), compares,
            bool(compares or of_run), settings,
        )  # fmt: skip


class Report(NamedTuple):
    """A page as HTML, and the number of runs in its table."""

    text: str
    runs: int


def _resolved(store: Store, view: View) -> View:
    """Return a view of runs that it names as one of their ids."""
    ids = tuple(store.run(part).id for part in view.chosen)
    return replace(view, chosen=ids, where=f"id in {list(ids)!r}", also=tuple(ALSO.values()))


def report(store: Store, view: View, title: str = "") -> Report:
    """Make the page of a view.

    Raises:
        QueryError: the query of the view can't be understood.
        RunNotFound, AmbiguousRun: it names a run that is not there, or several.
        Refused: it names too few runs to compare, or an axis or a smoothing that there is not.
        MissingDependency: plotly, which draws the charts, is not installed.
    """
    content = _content(store, _resolved(store, view) if view.by_name else view, title)
    library = plotly_source().read_text(encoding="utf-8")
    modules = {
        name: "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()
        for name, text in _modules().items()
    }
    names = json.dumps({"imports": modules})
    start = f'import "{ENTRY}";'
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in (library, names, start))
    policy = f"default-src 'none'; script-src {hashes} data:; style-src 'unsafe-inline'; img-src data: blob:"
    style = (STATIC / "style.css").read_text(encoding="utf-8")
    document = dump(content).decode().replace("<", "\\u003c")
    text = "\n".join([
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
        f'<meta http-equiv="content-security-policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width">\n<meta name="color-scheme" content="light dark">',
        f"<title>{html.escape(content['title'])}</title>\n<style>{style}</style>",
        f'<script type="application/json" id="content">{document}</script>',
        f"<script>{library}</script>\n<script type=\"importmap\">{names}</script>",
        f'<script type="module">{start}</script>\n</head>\n<body>',
        "<noscript>This page needs JavaScript.</noscript>\n</body>\n</html>\n",
    ])  # fmt: skip
    return Report(text, len(content["table"]["rows"]))


def plotly_source() -> Path:
    """Return the file of the charts' library, of the installed plotly.

    Raises:
        MissingDependency: it is not installed.
    """
    found = find_spec("plotly")
    if found is None or found.origin is None:
        raise MissingDependency("the page needs plotly: pip install 'runlore[ui]'")
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


def sent(store: Store, view: str, title: str) -> Response:
    """Send the page of a view as a file to keep."""
    text = report(store, View.at(view), title).text
    return HTMLResponse(text, headers={"content-disposition": 'attachment; filename="runs.html"', **SANDBOX})


ENDPOINTS = [
    Endpoint(
        "/api/report", "A view as one page that needs no server, as `runlore export --html`", sent,
        [
            Parameter("view", "text", "the address of the view, or what stands behind the ? in it", "/"),
            Parameter("title", "text", "the title of the page [default: by the runs]", ""),
        ],
    ),
]  # fmt: skip


# What it shows


def _content(store: Store, view: View, title: str) -> dict[str, Any]:
    """Return all that is shown, as the server's answers; secrets are masked by the rules that hold here and now."""
    where, sort = view.where, "" if view.compares else view.sort
    columns = list(view.columns) or suggested_columns(store, where)[:SUGGESTED]
    shade = "" if view.by else view.settings.get("colour", "")
    asked = [*columns, shade] if shade and shade not in columns else columns
    table = tables.table(store, where, asked, sort, 0, MAX_ROWS, list(view.also))
    known = [row["id"] for row in table["rows"]]
    chosen = [run for run in view.chosen if run in known]
    curved = [] if view.by else (chosen or known)[: tables.MAX_CURVES]
    drawn = curved if chosen else curved[:SHOWN]
    said = [] if table["total"] <= MAX_ROWS else [f"The first {MAX_ROWS:,} of {table['total']:,} runs."]
    content: dict[str, Any] = {
        "table": table,
        "columns": columns,
        "curved": curved,
        "drawn": drawn,
        "by": list(view.by),
        "groups": None,
        "bands": {},
        "curves": {},
        "compared": runs.comparison(store, list(view.chosen)) if view.compares else None,
        "settings": {"colours": _picked(store, curved)},
        "details": [_told(runs.details(store, run)) for run in drawn[: runs.MAX_COMPARED]],
    }
    if view.by:
        content |= _groups(store, view, columns)
    else:
        content["curves"], cut = _curves(store, curved, view)
        said += cut
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = [
        f"{table['total']:,} run{'s' * (table['total'] != 1)}",
        "" if view.chosen else where,
        f"made on {made} by runlore {__version__}",
    ]
    content |= {
        "title": title or _title(view, table),
        "about": " · ".join(filter(None, about)),
        "said": said,
        "state": {**view.settings, "sort": sort, "runs": list(view.chosen)},
    }
    return _masked(content)


def _picked(store: Store, shown: list[str]) -> str:
    """Return the colours that the page's user picked for runs, as the page keeps them."""
    try:
        pairs = json.loads(kept.settings(store)["settings"].get("colours", "[]"))
        return json.dumps([[run, place] for run, place in pairs if run in shown])
    except (ValueError, TypeError, RecursionError):  # whatever else wrote there
        return "[]"


def _masked(content: dict[str, Any]) -> dict[str, Any]:
    """Return all that is shown without secrets, by the rules of who makes the page; keys, which runs choose, too."""
    keys = sorted(_keys_of(content))
    texts = plugins().rewrite_event({"type": "report", "texts": keys}).get("texts", ())
    others = {key: text for key, text in zip(keys, texts, strict=True) if key != text}
    document = dict(plugins().rewrite_event({"type": "report", **_named(content, "key", NAME)}))
    del document["type"]
    return dict(_named(_renamed(document, others) if others else document, NAME, "key"))


def _named(item: Any, field: str, other: str) -> Any:
    """Return a document in which what holds the name of a metric or param has another name: "key" tells of secrets."""
    if isinstance(item, dict):
        holds_name = field in item and not NAMED.isdisjoint(item)
        return {
            other if holds_name and key == field else key: _named(value, field, other) for key, value in item.items()
        }
    return [_named(value, field, other) for value in item] if isinstance(item, list) else item


def _keys_of(item: Any) -> set[str]:
    """Return all keys of a document. Lists that begin with something else than an object hold none."""
    if isinstance(item, dict):
        return set(item).union(*map(_keys_of, item.values()))
    return set().union(*map(_keys_of, item)) if isinstance(item, list) and item and isinstance(item[0], dict) else set()


def _renamed(item: Any, others: Mapping[str, str]) -> Any:
    if isinstance(item, dict):
        return {others.get(key, key): _renamed(value, others) for key, value in item.items()}
    return [_renamed(value, others) for value in item] if isinstance(item, list) else item


def _told(details: dict[str, Any]) -> dict[str, Any]:
    """Return what is shown of a run: neither its commands, nor its machine, nor its files."""
    segments = [{name: value for name, value in part.items() if name != "argv"} for part in details["segments"]]
    return {name: details[name] for name in TOLD} | {"segments": segments}


def _title(view: View, table: Mapping[str, Any]) -> str:
    rows = table["rows"]
    names = {row["experiment"] for row in rows}
    if view.compares:
        return "Comparison of runs"
    if len(rows) == 1:
        return str(rows[0]["name"])
    return f"Runs of {names.pop()}" if len(names) == 1 else "Runs"


def _curves(store: Store, curved: list[str], view: View) -> tuple[dict[str, Any], list[str]]:
    """Return the curves of runs by metric, and what is said of those that are left out."""
    if not curved:
        return {}, []
    keys = list(tables.metrics_of(store, curved)["metrics"])
    said = [] if len(keys) <= MAX_CHARTS else [f"The charts of {MAX_CHARTS} of {len(keys):,} metrics."]
    keys = keys[:MAX_CHARTS]
    most = max(FEWEST, min(FINEST, MAX_POINTS // max(1, len(keys) * len(curved))))
    axis = view.settings.get("x", "step")
    smooth = _smoothing(view.settings.get("smooth", "0"))
    found = {key: tables.curves(store, curved, key, axis, None, None, most, smooth) for key in keys}
    return {key: value for key, value in found.items() if value["curves"]}, said


def _smoothing(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        weight = -1.0
    if not 0 <= weight < 1:
        raise Refused(f"smooth is {text!r}: it is a number from 0 to below 1")
    return weight


def _groups(store: Store, view: View, columns: list[str]) -> dict[str, Any]:
    """Return the statistics of groups, and the bands of their curves."""
    by = list(view.by)
    metrics = [field for field in columns if field.startswith("metrics")][:4]
    known = tables.keys(store)["metrics"]
    if not metrics:
        often = sorted(known, key=lambda item: -item["runs"])
        metrics = [item["field"] for item in often if not item["key"].startswith("system/")][:4]
    if not metrics:
        raise Refused(f"no run has a metric to group by {', '.join(by)}")
    fields = {re.sub(r"\.(last|min|max|count)$", "", field) for field in metrics}
    keys = [item["key"] for item in known if re.sub(r"\.last$", "", item["field"]) in fields]
    axis = view.settings.get("x", "step")
    return {
        "groups": tables.groups(store, view.where, by, metrics, list(view.over), list(view.also)),
        "bands": {
            key: tables.bands(store, view.where, by, metrics[0], key, axis, FINEST, list(view.also)) for key in keys
        },
    }


# The scripts


def _modules() -> dict[str, str]:
    """Return the modules that the page needs by name, each naming the others without a path."""
    found: dict[str, str] = {}
    waiting = [ENTRY]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        text = (STATIC / (SNAPSHOT if name in SERVED else name)).read_text(encoding="utf-8")
        needed = IMPORT.findall(text)
        found[name] = IMPORT.sub(lambda match: match[1], text)
        waiting += needed
    return found


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
