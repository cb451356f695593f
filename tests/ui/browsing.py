"""What tests of the page do in the browser."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from runlore import Store
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


SWEEP = "q=experiment+%3D%3D+%22sweep%22"


NAMES = ".runs tbody tr[data-run] td:nth-child(2) a"


def open_page(page: "Page", served: Served, path: str = "/") -> None:
    """With the token first, which becomes the cookie."""
    separator = "&" if "?" in path else "?"
    page.goto(f"{served.base}{path}{separator}token={served.token}")
    page.locator(".live.on").wait_for()


def until(page: "Page", condition: str) -> None:
    """Until a condition in JavaScript holds. Playwright's own way needs `eval`, which the page's policy forbids."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        page.wait_for_timeout(30)


def names(page: "Page") -> list[str]:
    return page.locator(NAMES).all_inner_texts()


def wait_names(page: "Page", expected: Callable[[list[str]], bool]) -> list[str]:
    deadline = time.monotonic() + 60
    while not expected(found := names(page)):
        assert time.monotonic() < deadline, found
        page.wait_for_timeout(30)
    return found


def query(page: "Page") -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.evaluate("location.href")).query)


def search(page: "Page", text: str) -> None:
    box = page.get_by_role("combobox", name="Filter runs by a query")
    box.fill(text)
    box.press("Enter")


def drag(page: "Page", where: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """With the mouse over an element, from and to parts of its width and height."""
    box = page.locator(where).bounding_box()
    assert box
    points = [(box["x"] + box["width"] * across, box["y"] + box["height"] * down) for across, down in (begin, end)]
    page.mouse.move(*points[0])
    page.mouse.down()
    page.mouse.move(*points[1], steps=5)
    page.mouse.up()


def drop(page: "Page", path: Path) -> None:
    """As if a person let a file go over the page."""
    page.evaluate(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            for (const type of ["dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [path.name, list(path.read_bytes())],
    )


def plot_of(page: "Page", key: str) -> Any:
    """The card of a metric, drawn."""
    card = page.locator(f".card[data-key='{key}']")
    card.scroll_into_view_if_needed()
    card.locator(".js-plotly-plot .main-svg").first.wait_for()
    return card


def wait_plot(page: "Page", key: str, condition: str) -> None:
    """Until a condition in JavaScript holds for the plot of a metric."""
    plot = f"document.querySelector(`.card[data-key='{key}'] .plot`)"
    until(page, f"(() => {{ const plot = {plot}; return plot?.data && ({condition}); }})()")


def data_of(page: "Page", key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate(
        """key => document.querySelector(`.card[data-key='${key}'] .plot`).data.map(trace => (
            {name: trace.name, x: trace.x.map(Number), y: trace.y, color: trace.line.color, fill: trace.fill}))""",
        key,
    )
    return found


def dots(page: "Page") -> list[str]:
    found: list[str] = page.eval_on_selector_all(
        ".runs tbody .dot", "dots => dots.map(dot => dot.style.getPropertyValue('--dot')).filter(Boolean)"
    )
    return found


def run_id(served: Served, where: str) -> str:
    return Store(served.store).runs(where)[0].id


def lightning(served: Served) -> str:
    return run_id(served, 'tags.integration == "lightning"')


def kept(page: "Page", what: str, name: str) -> tuple[str, bytes]:
    """The name and the content of the file that a button offers."""
    page.get_by_role("button", name=what, exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()
