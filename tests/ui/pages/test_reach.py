"""The page is reached as people reach pages: by a click in another page, and behind proxies."""

import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from runlore import Store
from tests.ui.browsing import until
from tests.ui.proxies import NGINX, free_port, nginx, small_proxy
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAME = "runs.localhost"  # Chromium takes it for this machine
PASSED = "proxy_set_header Host $http_host;"
WAYS = ["nginx-named", "nginx-plain", "nginx-whole", "stripping", "whole", "host-changed"]


@pytest.fixture
def store_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    store = Store(tmp_path / "store")
    with store.start_run("only") as run:
        run.log_metrics({"loss": 1.0})
    return store


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context()
    context.set_default_timeout(10_000)
    found = context.new_page()
    said: list[str] = []
    found.on("console", lambda item: said.append(f"{item.text} {item.location}"))
    found.on("pageerror", lambda error: said.append(str(error)))
    yield found
    context.close()
    assert said == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "runs.localhost"])
def test_a_click_on_the_address_in_another_page_opens_it(
    store_of_one: Store, serve: Serve, visit: "Page", host: str
) -> None:
    """The browser once kept the cookie back at the redirect, and the page asked for its key."""
    address = serve(store_of_one.root).address

    class Terminal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'<link rel="icon" href="data:,"><a href="{address}">{address}</a>'.encode()
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    other = ThreadingHTTPServer(("127.0.0.1", 0), Terminal)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    try:
        visit.goto(f"http://{host}:{other.server_port}/")
        visit.click("a")
        visit.locator(".live.on").wait_for()
        visit.reload()
        visit.get_by_role("link", name="only").wait_for()
        assert "token" not in visit.url
    finally:
        other.shutdown()
        other.server_close()


def way_to(way: str, port: int) -> AbstractContextManager[int]:
    inner = f"http://127.0.0.1:{port}"
    if way.startswith("nginx") and NGINX is None:
        pytest.skip("no nginx here: apt-get install nginx")
    if way == "nginx-named":  # under a name of its own
        return nginx(f"location / {{ proxy_pass {inner}; {PASSED} }}")
    if way == "nginx-plain":  # below a path; nginx says its upstream's address as the host
        return nginx(f"location /lab/runs/ {{ proxy_pass {inner}/; }}")
    if way == "nginx-whole":  # below a path that is passed on
        return nginx(f"location /lab/runs/ {{ proxy_pass {inner}; {PASSED} }}")
    prefix = "/user/ann/proxy/6464"
    return small_proxy(prefix, port, strip=way != "whole", keep_host=way != "host-changed")


@pytest.mark.parametrize("way", WAYS)
def test_the_page_works_behind_a_proxy(store_of_one: Store, serve: Serve, visit: "Page", way: str) -> None:
    base = "" if way == "nginx-named" else "/lab/runs" if "nginx" in way else "/user/ann/proxy/6464"
    port = free_port()
    whole = ("--base-path", base) if way.endswith("whole") else ()
    served = serve(store_of_one.root, "--port", str(port), "--allow-host", NAME, *whole)
    run_id = store_of_one.run("only").id
    with way_to(way, port) as outer:
        home = f"http://{NAME}:{outer}{base}"
        visit.goto(f"{home}/?token={served.token}")
        visit.locator(".live.on").wait_for()
        assert urlsplit(visit.url).path == f"{base}/"
        visit.get_by_role("link", name="only").click()
        visit.get_by_role("heading", name="only").wait_for()
        assert urlsplit(visit.url).path == f"{base}/run/{run_id}"
        visit.evaluate(
            "([base, id]) => import(`${base}/static/api.js`)"
            ".then(({ change }) => change(`/api/runs/${id}/notes`, { text: 'noted' }))",
            [base, run_id],
        )
        assert store_of_one.run("only").notes == ["noted"]
        visit.reload()
        visit.get_by_role("heading", name="only").wait_for()
        visit.goto(f"{home}/run/{run_id}?tab=charts&token={served.token}")
        visit.get_by_role("heading", name="only").wait_for()
        assert re.search(r"\?tab=charts$", visit.url)
        until(visit, "globalThis.Plotly !== undefined")
        visit.goto("about:blank")


def test_a_second_server_starts_below_a_path_without_a_proxy(store_of_one: Store, serve: Serve, visit: "Page") -> None:
    served = serve(store_of_one.root, "--base-path", "/lab/runs/")
    visit.goto(f"{served.base}/lab/runs/?token={served.token}")
    visit.locator(".live.on").wait_for()
    visit.goto(served.address)
    visit.locator(".live.on").wait_for()
