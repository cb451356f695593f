"""The page is reached as people reach pages: by a click in another page, and behind proxies."""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from runlore import Store
from tests.ui.browsing import until
from tests.ui.proxies import NGINX, free_port, nginx, other_page, small_proxy
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAME = "runs.localhost"  # Chromium takes it for this machine
PASSED = "proxy_set_header Host $http_host;"
LAB = "/user/ann/proxy/6464"
ABSOLUTE = "/user/ann/proxy/absolute/6464"
BASES = {  # the path that the browser sees, and what is left of it as --base-path
    "nginx-named": ("", ""),
    "nginx-plain": ("/lab/runs", ""),
    "nginx-whole": ("/lab/runs", "/lab/runs"),
    "jupyter": (LAB, ""),
    "jupyter-absolute": (ABSOLUTE, ABSOLUTE),
    "code-server": ("/proxy/6464", ""),
    "code-server-absolute": ("/absproxy/6464", "/absproxy/6464"),
    "code-server-below-a-path": ("/code/absproxy/6464", "/absproxy/6464"),
    "host-changed": (LAB, ""),
}
USUAL = {"nginx-named", "jupyter-absolute"}  # the others are tried by the stress tests
RARE_HOSTS = [pytest.param(host, marks=pytest.mark.stress) for host in ("127.0.0.1", "runs.localhost")]


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context()
    context.set_default_timeout(60_000)
    found = context.new_page()
    said: list[str] = []
    found.on("console", lambda item: said.append(f"{item.text} {item.location}"))
    found.on("pageerror", lambda error: said.append(str(error)))
    yield found
    context.close()
    assert [line for line in said if "/enter" not in line] == []  # which says that nothing is there


@pytest.mark.parametrize("host", ["localhost", *RARE_HOSTS])
def test_a_click_on_the_address_in_another_page_opens_it(
    store_of_one: Store, serve: Serve, visit: "Page", host: str
) -> None:
    """The browser once kept the cookie back at the redirect, and the page asked for its key."""
    address = serve(store_of_one.root).address
    with other_page(f'<a href="{address}">{address}</a>') as port:
        visit.goto(f"http://{host}:{port}/")
        visit.click("a")
        visit.locator(".live.on").wait_for()
        visit.reload()
        visit.get_by_role("link", name="only").wait_for()
        assert "token" not in visit.url


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
    path, left = BASES[way]
    told = {} if way == "host-changed" else {"X_Forwarded_Host": "inner.example", "X_Forwarded_Prefix": path}
    return small_proxy(path, port, left, keep_host=way != "host-changed", packs=way.startswith("code"), **told)


@pytest.mark.parametrize("way", [way if way in USUAL else pytest.param(way, marks=pytest.mark.stress) for way in BASES])
def test_the_page_works_behind_a_proxy(store_of_one: Store, serve: Serve, visit: "Page", way: str) -> None:
    base, left = BASES[way]
    port = free_port()
    whole = ("--base-path", left) if left else ()
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
        assert [note.text for note in store_of_one.run("only").notes] == ["noted"]
        visit.reload()
        visit.get_by_role("heading", name="only").wait_for()
        visit.goto(f"{home}/run/{run_id}?tab=charts&token={served.token}")
        visit.get_by_role("heading", name="only").wait_for()
        assert re.search(r"\?tab=charts$", visit.url)
        until(visit, "globalThis.Plotly !== undefined")
        assert {cookie["path"] for cookie in visit.context.cookies()} == {base or "/"}
        with store_of_one.start_run("later"):
            visit.goto(f"{home}/")
            visit.get_by_role("link", name="later").wait_for()
        visit.get_by_text("finished").nth(1).wait_for()
        visit.goto("about:blank")


@pytest.mark.parametrize("host", ["localhost", *RARE_HOSTS[:1]])
def test_a_tunnel_may_have_another_port_here(store_of_one: Store, serve: Serve, visit: "Page", host: str) -> None:
    """`ssh -L 8888:127.0.0.1:6464`: requests name a port that the server does not know."""
    served = serve(store_of_one.root)
    with small_proxy("", served.port) as port:
        visit.goto(f"http://{host}:{port}/?token={served.token}")
        visit.locator(".live.on").wait_for()
        visit.evaluate(
            "id => import('/static/api.js').then(({ change }) => change(`/api/runs/${id}/notes`, { text: 'noted' }))",
            store_of_one.run("only").id,
        )
        assert [note.text for note in store_of_one.run("only").notes] == ["noted"]
        visit.reload()
        visit.locator(".live.on").wait_for()
        visit.goto("about:blank")


def test_a_second_server_starts_below_a_path_without_a_proxy(store_of_one: Store, serve: Serve, visit: "Page") -> None:
    served = serve(store_of_one.root, "--base-path", "/lab/runs/")
    visit.goto(f"{served.base}/lab/runs/?token={served.token}")
    visit.locator(".live.on").wait_for()
    visit.goto(served.address)
    visit.locator(".live.on").wait_for()
