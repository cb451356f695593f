"""The figures of the page: a server of 10,000 runs as a process, and headless Chromium."""

import atexit
import http.server
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.figures import World, bare_python, figure, floor

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.ui.serving import Served

ROWS = "document.querySelectorAll('.runs tbody tr[data-run]').length > 20"
LONG = 10  # runs of 10,000 points
PLAIN = """<!doctype html><title>plain</title><link rel="icon" href="data:,"><div id="a"></div><div id="b"></div>
<script src="plotly.min.js"></script><script>
const x = Array.from({length: 1000}, (_, place) => place);
const traces = () => Array.from({length: 10}, () => ({type: "scatter", mode: "lines", x, y: x.map(Math.random)}));
const draw = id => Plotly.newPlot(id, traces(), {width: 320, height: 210});
Promise.all(["a", "b"].map(draw)).then(() => { window.done = true; });
</script>"""


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="runlore-bench-ui-"))


@cache
def served() -> "Served":
    """A server of 10,000 runs, ten of them of 10,000 steps; made once."""
    from tests.ui.serving import Served
    from tests.ui.stores import make_many

    found = Served(make_many(folder()))
    atexit.register(found.end)
    return found


@cache
def browser() -> "Browser":
    from playwright.sync_api import sync_playwright

    from tests.ui.conftest import CHROMIUM, FLAGS

    playwright = sync_playwright().start()
    found = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    atexit.register(playwright.stop)
    atexit.register(found.close)
    return found


@cache
def cookies(of: "Served") -> "list[Any]":
    """What a browser has that came in by the address that a server printed."""
    context = browser().new_context()
    try:
        page = context.new_page()
        page.goto(of.address)
        page.locator(".live.on").wait_for()
        return context.cookies()
    finally:
        context.close()


def fresh(of: "Served | None", act: "Callable[[Page], float]") -> float:
    """What an act in a page comes to, in a context whose cache is empty and that has the cookie of a server."""
    context = browser().new_context(viewport={"width": 1440, "height": 900})
    try:
        if of is not None:
            context.add_cookies(cookies(of))
        return act(context.new_page())
    finally:
        context.close()


def until(page: "Page", condition: str) -> None:
    """Without the pauses that would be measured, too."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        if time.monotonic() > deadline:
            raise TimeoutError(condition)


def taking(*acts: Callable[[], object]) -> float:
    """Milliseconds that some acts take, one after the other."""
    began = time.perf_counter()
    for act in acts:
        act()
    return (time.perf_counter() - began) * 1e3


@cache
def static() -> int:
    """The port of a server of plain files: the floor of what a page costs."""
    import plotly

    place = folder() / "static"
    place.mkdir()
    (place / "index.html").write_text(PLAIN)
    script = Path(str(plotly.__file__)).parent / "package_data" / "plotly.min.js"
    (place / "plotly.min.js").write_bytes(script.read_bytes())
    (place / "table.html").write_text("<!doctype html><title>t</title><table>" + "<tr><td>1<td>2<td>3</tr>" * 100)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(place)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


# Starting


@floor("`import starlette.applications, uvicorn`, over bare Python", "ms")
def import_libraries(world: World) -> float:
    return world.wall([sys.executable, "-c", "import starlette.applications, uvicorn"]) - bare_python(world)


@figure(
    "`runlore ui`: import of the server", "ms", 600,
    beside="`import starlette.applications, uvicorn`, over bare Python",
)  # fmt: skip
def import_server(world: World) -> float:
    return world.wall([sys.executable, "-c", "import runlore.ui.server"]) - bare_python(world)


# The table


@floor("a page of a hundred plain rows in Chromium", "ms")
def plain_table(_: World) -> float:
    return fresh(None, lambda page: taking(lambda: page.goto(f"http://127.0.0.1:{static()}/table.html")))


SHOWN = """new MutationObserver((_, observer) => {
    if (!(CONDITION)) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.shown = performance.now() - START; }));
}).observe(document, {childList: true, subtree: true, characterData: true});"""


def painted(condition: str, start: str = "0") -> str:
    """A script that sets `window.shown`: milliseconds until something was painted, since the request or `start`."""
    return SHOWN.replace("CONDITION", condition).replace("START", start)


def acting(page: "Page", act: str, condition: str) -> float:
    """Milliseconds from an act in a page until what comes of it is painted."""
    watch = painted(condition, "window.began")
    page.evaluate(f"(() => {{ window.shown = 0; {watch} window.began = performance.now(); {act} }})()")
    until(page, "window.shown")
    return float(page.evaluate("window.shown"))


def open_table(page: "Page", query: str = "") -> None:
    page.goto(f"{served().base}/{query}", wait_until="commit")
    until(page, ROWS)


@figure("page: the table of 10,000 runs on screen", "ms", 1000, beside="a page of a hundred plain rows in Chromium")
def table_on_screen(_: World) -> float:
    def act(page: "Page") -> float:
        page.add_init_script(painted(ROWS))
        page.goto(f"{served().base}/")
        until(page, "window.shown")
        return float(page.evaluate("window.shown"))

    return fresh(served(), act)


@figure("page: sort 10,000 runs by a metric", "ms", 200, beside="a page of a hundred plain rows in Chromium")
def sort_table(_: World) -> float:
    def act(page: "Page") -> float:
        open_table(page, "?cols=metrics.val_acc&tab=scatter")
        page.wait_for_timeout(1500)
        first = page.evaluate("document.querySelector('.runs tbody tr[data-run]').dataset.run")
        click = (
            "[...document.querySelectorAll('.runs th button')].find(item => item.title.includes('val_acc')).click();"
        )
        changed = f"document.querySelector('.runs tbody tr[data-run]')?.dataset.run !== {first!r}"
        return acting(page, click, f"{changed} && {ROWS}")

    return fresh(served(), act)


@figure("page: filter 10,000 runs by a query", "ms", 200, beside="a page of a hundred plain rows in Chromium")
def filter_table(_: World) -> float:
    def act(page: "Page") -> float:
        open_table(page, "?tab=scatter")
        page.wait_for_timeout(1500)
        page.locator(".query input").fill("params.lr < 0.25 and metrics.val_acc > 0.5")
        foot = page.evaluate("document.querySelector('.foot').textContent")
        enter = "new KeyboardEvent('keydown', {key: 'Enter', bubbles: true})"
        press = f"document.querySelector('.query input').dispatchEvent({enter});"
        return acting(page, press, f"document.querySelector('.foot').textContent !== {foot!r} && {ROWS}")

    return fresh(served(), act)


# Charts


@floor("plotly and two plots of ten thinned curves in a plain page", "ms")
def plain_charts(_: World) -> float:
    def act(page: "Page") -> float:
        return taking(
            lambda: page.goto(f"http://127.0.0.1:{static()}/", wait_until="commit"),
            lambda: until(page, "window.done"),
        )

    return fresh(None, act)


@cache
def long_runs() -> str:
    rows: list[dict[str, Any]] = served().get("/api/runs", limit=LONG)["rows"]
    return "&".join(f"sel={row['id']}" for row in rows)


@figure(
    "page: first charts of 10 runs × 10,000 points, cold", "ms", 2500,
    beside="plotly and two plots of ten thinned curves in a plain page",
)  # fmt: skip
def first_charts(_: World) -> float:
    drawn = "[...document.querySelectorAll('.card .plot')].filter(plot => plot.data?.length === 10).length === 2"
    query = f"?{long_runs()}"

    def act(page: "Page") -> float:
        return taking(lambda: page.goto(f"{served().base}/{query}", wait_until="commit"), lambda: until(page, drawn))

    return fresh(served(), act)


HEAVY = 50_000, 500  # steps and metrics of each of two runs


@cache
def heavy() -> "Served":
    """A server of two runs of very many points; made once."""
    import runlore
    from tests.ui.serving import Served

    os.environ["RUNLORE_QUIET"] = "1"
    store, luck = runlore.Store(folder() / "heavy"), random.Random(0)
    steps, metrics = HEAVY
    names = [f"block{number // 25}/layer{number}" for number in range(metrics)]
    for _ in range(2):
        with store.start_run("heavy") as run:
            for step in range(steps):
                run.log_metrics(dict.fromkeys(names, luck.random()), step)
    found = Served(store.root)
    atexit.register(found.end)
    return found


def come_back(of: "Served", drawn: str) -> float:
    """Milliseconds until something is drawn in a browser that has opened the page before, and keeps a profile.

    It keeps compiled scripts from the third time on; contexts without a profile, such as `fresh` has, keep none.
    """
    from tests.ui.conftest import CHROMIUM, FLAGS

    with tempfile.TemporaryDirectory(prefix="runlore-bench-profile-") as place:
        kind = browser().browser_type
        context = kind.launch_persistent_context(
            place, executable_path=CHROMIUM, args=FLAGS, viewport={"width": 1440, "height": 900}
        )
        try:
            context.add_cookies(cookies(of))
            page = context.pages[0]
            for _ in range(3):
                found = taking(lambda: page.goto(of.base, wait_until="commit"), lambda: until(page, drawn))
                page.wait_for_timeout(1500)  # in which the browser stores what it has compiled
                page.goto("about:blank")
            return found
        finally:
            context.close()


@figure(
    "page: first charts of 2 runs × 50,000 steps × 500 metrics, come back to", "ms", 1500,
    beside="plotly and two plots of ten thinned curves in a plain page",
)  # fmt: skip
def heavy_charts(_: World) -> float:
    return come_back(heavy(), "document.querySelectorAll('.card .plot .main-svg').length > 0")


# Memory, and what is live


@floor("memory of a process that imports starlette, uvicorn and numpy", "MB")
def plain_memory(world: World) -> float:
    script = "import starlette.applications, uvicorn, numpy; print(open('/proc/self/status').read())"
    return resident(world.python(script))


def resident(status: str) -> float:
    """Megabytes that a process has in memory, of what /proc tells."""
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


@figure(
    "page: the server's memory after all of this", "MB", 120,
    beside="memory of a process that imports starlette, uvicorn and numpy",
)  # fmt: skip
def server_memory(_: World) -> float:
    long_runs()
    return resident(Path(f"/proc/{served().process.pid}/status").read_text())


@floor("one curve over HTTP", "ms")
def one_curve(_: World) -> float:
    run = long_runs().split("&")[0].partition("=")[2]
    return taking(lambda: served().get("/api/curves", runs=run, key="loss"))


@figure("page: a point on screen after log_metrics", "ms", 2000, beside="one curve over HTTP")
def live_point(_: World) -> float:
    import runlore

    os.environ["RUNLORE_QUIET"] = "1"
    with runlore.Store(served().store).start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        run.log_metrics({"loss": 2.0}, 1)

        def act(page: "Page") -> float:
            page.goto(f"{served().base}/?sel={run.id}")
            last = "document.querySelector('.card .plot')?.data?.[0].y.at(-1)"
            until(page, f"{last} === 2")
            return taking(lambda: run.log_metrics({"loss": 7.0}, 2), lambda: until(page, f"{last} === 7"))

        return fresh(served(), act)
