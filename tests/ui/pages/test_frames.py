"""The page in a frame of another page: only where its origin was named."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.proxies import free_port, other_page, small_proxy
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def visit(browser: "Browser") -> "Iterator[Page]":
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize(
    "inner", ["127.0.0.1", *(pytest.param(name, marks=pytest.mark.stress) for name in ("localhost", "runs.localhost"))]
)
@pytest.mark.parametrize("outer", [pytest.param("127.0.0.1", marks=pytest.mark.stress), "localhost"])
def test_a_named_page_shows_it_in_a_frame(
    store_of_one: Store, serve: Serve, visit: "Page", outer: str, inner: str
) -> None:
    """Where its host is another one, browsers take no cookie but one for frames."""
    with ExitStack() as stack:
        port = stack.enter_context(other_page("<iframe width=1400 height=800></iframe>"))
        home = f"http://{outer}:{port}"
        served = serve(store_of_one.root, "--allow-frame", home, "--allow-host", "runs.localhost")
        visit.goto(home)
        address = f"http://{inner}:{served.port}/?token={served.token}"
        visit.evaluate("address => { document.querySelector('iframe').src = address; }", address)
        frame = visit.frame_locator("iframe")
        frame.locator(".live.on").wait_for()
        frame.get_by_role("link", name="only").click()
        frame.get_by_role("heading", name="only").wait_for()
        (inside,) = (found for found in visit.frames if found != visit.main_frame)
        assert "token" not in inside.url
        change = "change(`/api/runs/${id}/notes`, { text: 'noted' })"
        inside.evaluate(f"id => import('/static/api.js').then(({{ change }}) => {change})", store_of_one.run("only").id)
        assert [note.text for note in store_of_one.run("only").notes] == ["noted"]
        inside.evaluate("location.reload()")
        frame.get_by_role("heading", name="only").wait_for()
        visit.goto("about:blank")


@pytest.mark.parametrize(
    "options", [pytest.param((), marks=pytest.mark.stress), ("--allow-frame", "http://localhost:1")]
)
def test_another_page_does_not(store_of_one: Store, serve: Serve, visit: "Page", options: tuple[str, ...]) -> None:
    served = serve(store_of_one.root, *options)
    visit.goto(served.address)
    visit.locator(".live.on").wait_for()
    with other_page(f'<iframe src="{served.address}"></iframe>') as port:
        for host in ("127.0.0.1", "localhost"):
            visit.goto(f"http://{host}:{port}/", wait_until="load")
            (inside,) = (found for found in visit.frames if found != visit.main_frame)
            deadline = time.monotonic() + 60
            while not inside.url and time.monotonic() < deadline:
                visit.wait_for_timeout(30)
            assert inside.url == "chrome-error://chromewebdata/"
        visit.goto("about:blank")


def test_a_notebook_shows_it_behind_the_proxy_of_its_server(store_of_one: Store, serve: Serve, visit: "Page") -> None:
    port = free_port()
    with small_proxy("/user/ann/proxy/6464", port) as outer:
        home = f"http://localhost:{outer}"
        served = serve(store_of_one.root, "--port", str(port), "--allow-frame", home)
        visit.goto(home)
        visit.set_content(f'<iframe src="/user/ann/proxy/6464/?token={served.token}"></iframe>')
        visit.frame_locator("iframe").locator(".live.on").wait_for()
        visit.goto("about:blank")
