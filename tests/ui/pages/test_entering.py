"""How a browser comes to the page, what it keeps of that, and what other servers of the machine can do about it."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from runlore import Store
from runlore.ui.entrance import opening_page
from tests.ui.conftest import CHROMIUM, FLAGS
from tests.ui.proxies import listening, other_page
from tests.ui.serving import ROOT, Serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page


@pytest.fixture
def context(browser: "Browser") -> "Iterator[BrowserContext]":
    found = browser.new_context()
    found.set_default_timeout(60_000)
    yield found
    found.close()


@pytest.fixture
def visit(context: "BrowserContext") -> "Page":
    return context.new_page()


def is_in(page: "Page") -> None:
    page.locator(".live.on").wait_for()
    page.get_by_role("link", name="only").wait_for()


def test_the_printed_address_opens_the_page_and_is_of_this_start_alone(
    store_of_one: Store, serve: Serve, visit: "Page"
) -> None:
    served, again = serve(store_of_one.root), serve(store_of_one.root)
    names = {one.root.partition("://")[2].partition(":")[0] for one in (served, again)}
    assert len(names) == 2
    assert all(name.endswith(".localhost") for name in names)
    visit.goto(served.address)
    is_in(visit)
    assert visit.url == served.root
    visit.goto(served.address)  # with the cookie
    is_in(visit)
    assert visit.url == served.root
    visit.goto(f"{served.root}enter#token={served.token}&then=compare?runs=x")
    visit.wait_for_url(f"{served.root}compare?runs=x")
    visit.goto(f"{again.root}find?x=1#token={again.token}")
    visit.wait_for_url(f"{again.root}find?x=1")


def test_a_link_of_an_earlier_start_says_where_its_view_is_now(
    store_of_one: Store, serve: Serve, visit: "Page"
) -> None:
    """It does not lead there: another user who listened at that name meanwhile would learn the present one."""
    first = serve(store_of_one.root)
    second = serve(store_of_one.root)
    earlier = first.root.replace(f":{first.port}", f":{second.port}")
    visit.goto(f"{earlier}compare?runs=<b>x</b>")
    visit.get_by_role("heading", name="This link is of an earlier start").wait_for()
    assert visit.locator("pre").inner_text() == "/compare?runs=%3Cb%3Ex%3C/b%3E"
    assert second.root.partition("://")[2].partition(".")[0] not in visit.content()
    name = f"{'0' * 16}.localhost:{second.port}"
    told = second.request("GET", "/x%0AThe%20key%20is%20at%E2%80%AEevil?q=%22", host=name, key=False)
    assert b"/x%0AThe%20key%20is%20at%E2%80%AEevil?q=%22" in told.body
    assert second.request("GET", "/api/store", host=name).status == 400
    visit.goto("http://evil.localhost:" + str(second.port))
    visit.get_by_text("--allow-host evil.localhost").wait_for()


def test_a_kept_address_outlives_the_server(store_of_one: Store, serve: Serve, visit: "Page", tmp_path: Path) -> None:
    """The open tab finds the next server by itself; another store, and another user, have other addresses."""
    first = serve(store_of_one.root, "--keep-address")
    visit.goto(first.address)
    is_in(visit)
    first.end()
    visit.get_by_text("not live").wait_for()
    second = serve(store_of_one.root, "--keep-address", "--port", str(first.port))
    assert second.address == first.address
    is_in(visit)
    visit.goto(f"{second.root}?q=name+%3D%3D+%22only%22")  # a bookmark of a view
    is_in(visit)
    other = Store(tmp_path / "other")
    other.start_run("only").finish()
    assert serve(other.root, "--keep-address").token != first.token


def test_no_address_is_kept_for_somebody_without_a_secret(store_of_one: Store, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "file")}
    command = [
        sys.executable,
        "-m",
        "runlore",
        "ui",
        "--no-browser",
        "--keep-address",
        "--store",
        str(store_of_one.root),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode != 0
    assert "no address can be kept" in done.stderr


def test_a_key_that_is_pasted_opens_it_and_a_wrong_one_does_not(
    store_of_one: Store, serve: Serve, visit: "Page"
) -> None:
    served = serve(store_of_one.root)
    for address in (served.root, f"{served.root}enter#token=wrong"):
        visit.goto(address)
        visit.get_by_role("heading", name="This page needs its key").wait_for()
    visit.get_by_role("textbox").fill(served.token)
    visit.get_by_role("button").click()
    is_in(visit)


def test_what_follows_leads_nowhere_else(store_of_one: Store, serve: Serve, visit: "Page") -> None:
    served = serve(store_of_one.root)
    for then in ("//evil.example/", "https://evil.example/", "\\\\evil.example", "javascript:alert(1)"):
        visit.goto(f"{served.root}enter#token={served.token}&then={then}")
        visit.get_by_role("heading", name="There is no such page").wait_for()
        assert visit.url.startswith(served.root)


def profile_after(folder: Path, address: str) -> Path:
    """A profile of Chromium's after one visit."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(folder, executable_path=CHROMIUM, args=FLAGS)
        page = context.pages[0]
        page.goto(address)
        is_in(page)
        context.close()
    return folder


HISTORY = """
import sys
from pathlib import Path
from tests.ui.pages.test_entering import profile_after
profile_after(Path(sys.argv[1]), sys.argv[2])
"""


def keeps(folder: Path, address: str, token: str) -> tuple[list[str], list[str]]:
    """The addresses in the history that are shown, and the files of the profile that hold the token."""
    command = [sys.executable, "-c", HISTORY, str(folder), address]  # Playwright runs once in a process
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": "."})
    with closing(sqlite3.connect(f"file:{folder / 'Default' / 'History'}?immutable=1", uri=True)) as database:
        shown = [url for (url,) in database.execute("SELECT url FROM urls WHERE hidden = 0")]
    texts = (token.encode(), token.encode("utf-16-le"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    return shown, [path.name for path in files if any(text in path.read_bytes() for text in texts)]


def test_the_browser_that_is_opened_keeps_no_trace_of_the_key(
    store_of_one: Store, serve: Serve, tmp_path: Path, chromium: str
) -> None:
    served = serve(store_of_one.root)
    page = tmp_path / "open.html"
    page.write_text(opening_page(served.root, served.token))
    shown, files = keeps(tmp_path / "profile", page.as_uri(), served.token)
    assert served.root in shown
    assert files == []


@pytest.mark.stress
def test_an_address_that_is_opened_by_hand_is_not_shown_in_the_history(
    store_of_one: Store, serve: Serve, tmp_path: Path, chromium: str
) -> None:
    served = serve(store_of_one.root)
    shown, _ = keeps(tmp_path / "profile", served.address, served.token)
    assert served.root in shown
    assert not [url for url in shown if served.token in url]


def test_the_cookie_is_not_the_token_and_goes_to_no_other_port(
    store_of_one: Store, serve: Serve, context: "BrowserContext", visit: "Page"
) -> None:
    served = serve(store_of_one.root)
    visit.goto(served.address)
    is_in(visit)
    (cookie,) = context.cookies()
    assert served.token not in str(cookie)
    assert cookie["domain"] == served.root.partition("://")[2].partition(":")[0]
    asked: list[str] = []

    class Listener(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(str(self.headers.get("cookie")))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with listening(Listener) as port:
        for host in ("127.0.0.1", "localhost"):
            visit.goto(f"http://{host}:{port}/")
    assert set(asked) == {"None"}


@pytest.mark.parametrize("path", [pytest.param("/", marks=pytest.mark.stress), "/api"])
def test_another_server_of_the_machine_can_not_log_the_holder_out(
    store_of_one: Store, serve: Serve, context: "BrowserContext", visit: "Page", path: str
) -> None:
    """It can set cookies for the number and for localhost, as many as a browser keeps, and of our name."""
    served = serve(store_of_one.root)
    visit.goto(served.address)
    is_in(visit)
    (ours,) = context.cookies()
    with other_page("other") as port:
        for host in ("127.0.0.1", "localhost", "other.localhost"):
            visit.goto(f"http://{host}:{port}/")
            visit.evaluate(
                """([name, path]) => {
                    for (const where of ["", "; domain=localhost"])
                        document.cookie = `${name}=wrong; path=${path}${where}`;
                    for (let n = 0; n < 400; n++) document.cookie = `n${n}=x; path=${path}`;
                }""",
                [ours["name"], path],
            )
    visit.goto(served.root)
    is_in(visit)


def test_a_cookie_of_our_name_that_comes_first_does_no_harm(store_of_one: Store, serve: Serve) -> None:
    served = serve(store_of_one.root)
    body = f"token={served.token}".encode()
    answer = served.request("POST", "/enter", body, key=False, Origin="null")
    pair = answer.headers["set-cookie"].partition(";")[0]
    name = pair.partition("=")[0]
    assert (answer.status, answer.headers["location"]) == (303, "./")
    assert served.token not in str(answer.headers)
    for cookies in (f"{name}=wrong; {pair}", f"{pair}; {name}=é", f"{name}; {name}=; {pair}"):
        assert served.request("GET", "/api/store", key=False, Cookie=cookies).status == 200


def test_only_the_token_enters(store_of_one: Store, serve: Serve) -> None:
    served = serve(store_of_one.root)
    for body in (b"", b"token=", b"token=wrong", b"{}", b"\xff\xfe", b"token=%ff", served.token.encode()):
        refused = served.request("POST", "/enter", body, key=False)
        assert (refused.status, "set-cookie" in refused.headers) == (401, False)
    right = f"token={served.token}".encode()
    assert served.request("POST", "/enter", right + b"&x=" + b"x" * 1000, key=False).status == 400
    assert served.request("POST", "/enter", right, key=False, Host="evil.example").status == 400
    assert served.request("PUT", "/enter", right, key=False).status == 401


def test_what_an_earlier_server_left_at_the_number_is_forgotten(store_of_one: Store, serve: Serve) -> None:
    """Not at a proxy's address, where it would be what the proxy's other pages keep."""
    served = serve(store_of_one.root, "--allow-host", "hub.lab.example")
    local = f"127.0.0.1:{served.port}"

    def order(at: str = "", **headers: str) -> str | None:
        body = f"token={served.token}&at={quote(at or headers['Host'] + '/')}".encode()
        answer = served.request("POST", "/enter", body, key=False, **headers)
        assert answer.status == 303
        return answer.headers.get("clear-site-data")

    assert order(Host=local) == '"cache", "storage"'
    assert order(Host=f"localhost:{served.port}") == '"cache", "storage"'
    assert order(Host="localhost:8888") is None
    assert order(Host="hub.lab.example") is None
    assert order(Host=f"localhost:{served.port}", x_forwarded_for="10.0.0.1") is None
    for at in ("hub.lab.example/", f"{local}/proxy/6464/", f"{local}:8888/", local):
        assert order(at, Host=local) is None  # a proxy that passes our own name on, and says nothing of itself
    answer = served.request("GET", f"/?token={served.token}", key=False, Host=local)  # does not tell where it is
    assert (answer.status, answer.headers.get("clear-site-data")) == (303, None)
