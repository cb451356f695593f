"""Servers of real stores as processes, and Debian's Chromium; without it these tests skip, but never in CI."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from runlore import Store
from runlore.testing.warm import WarmParents
from tests.ui.serving import Serve, Served
from tests.ui.stores import make_many, make_real

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
SERVER_MODULES = ("click", "numpy", "pluggy", "rich.console", "sqlite3", "starlette.applications", "uvicorn")
SHARED: list[Served] = []
EXPECTED = ("GPU stall",)  # what Chromium says of its own software rendering


# Fixtures of the package end with it: while Playwright is there, its event loop runs in the main thread.
@pytest.fixture(scope="package")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_real(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="package")
def many_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_many(tmp_path_factory.mktemp("many"))


@pytest.fixture
def store_of_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of one run, `only`, where writing warns of nothing."""
    monkeypatch.setenv("RUNLORE_QUIET", "1")
    store = Store(tmp_path / "store")
    with store.start_run("only") as run:
        run.log_metrics({"loss": 1.0})
    return store


@pytest.fixture
def serve(runlore_warm_parents: WarmParents) -> Iterator[Serve]:
    """Starts servers, cold or forked from a process that has imported what they need; they end with the test."""
    started: list[Served] = []

    def start(store: Path, *options: str, cold: bool = False) -> Served:
        parent = None if cold else runlore_warm_parents.parent(SERVER_MODULES, os.environ)
        started.append(Served(store, *options, parent=parent))
        return started[-1]

    yield start
    for served in started:
        served.end()


@contextmanager
def shared(store: Path) -> Iterator[Served]:
    served = Served(store)
    SHARED.append(served)
    yield served
    SHARED.remove(served)
    served.end()


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    """Choices that a test makes on the page are kept by a server that others share: they are forgotten."""
    yield
    for served in SHARED:
        for name in served.get("/api/settings")["settings"]:
            assert served.post("/api/settings", {"name": name}).status == 200


@pytest.fixture(scope="package")
def real(real_store: Path) -> Iterator[Served]:
    """A server that many tests share: they only read."""
    with shared(real_store) as served:
        yield served


@pytest.fixture(scope="package")
def many(many_store: Path) -> Iterator[Served]:
    with shared(many_store) as served:
        yield served


@pytest.fixture
def own(real_store: Path, tmp_path: Path, serve: Serve) -> Served:
    """A server of a copy, to be changed."""
    shutil.copytree(real_store, tmp_path / "copy")
    return serve(tmp_path / "copy")


@pytest.fixture(scope="package")
def chromium() -> str:
    if not Path(CHROMIUM).exists():
        assert "CI" not in os.environ, "in CI these tests must not skip"
        pytest.skip("no Chromium here: apt-get install chromium")
    return CHROMIUM


@pytest.fixture(scope="package")
def browser(chromium: str) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield found
        found.close()


@pytest.fixture
def expected() -> list[str]:
    """Parts of what the browser may complain of; a test that is refused something adds that."""
    return [*EXPECTED]


@pytest.fixture
def page(browser: "Browser", serve: Serve, expected: list[str]) -> "Iterator[Page]":
    """A page in a context of its own; at its end nothing may have been complained of, nor asked for elsewhere.

    It ends before the servers that the test starts.
    """
    context = browser.new_context(viewport={"width": 1440, "height": 860}, accept_downloads=True)
    context.set_default_timeout(60_000)  # ms: the machine may be busy
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    found = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    found.on("console", lambda item: said.append(f"{item.type}: {item.text}"))
    found.on("pageerror", lambda error: said.append(f"error: {error}"))
    found.on("request", lambda request: asked.append(request.url))
    answered: list[Response] = []
    found.on("response", lambda response: answered.append(response))  # noqa: PLW0108
    yield found
    hacked = found.evaluate("window.hacked")
    errors = [(response.url, response.text()) for response in answered if response.status >= 500]
    context.close()
    assert errors == [], "\n".join(served.err for served in Served.running)
    assert [line for line in said if not any(word in line for word in expected)] == []
    assert hacked is None
    hosts = {str(urlsplit(url).hostname) for url in asked if url.startswith("http")}
    assert {host for host in hosts if not host.endswith(".localhost")} <= {"127.0.0.1"}
