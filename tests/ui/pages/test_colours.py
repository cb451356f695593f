"""Colours that somebody picks for runs, in a real browser."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import dots, open_page, until, wait_plot
from tests.ui.pages.test_readability import serious
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page


def record(store: Store, name: str) -> None:
    with store.start_run(name) as run:
        for step in range(2):
            run.log_metrics({"acc": step / 10}, step)


def pick(page: "Page", name: str, colour: str, where: str = ".runs") -> None:
    """With the keys alone."""
    page.locator(where).get_by_role("button", name=f"Colour of {name}").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=f"Colour of {name}").get_by_role("button", name=colour, exact=True).press("Enter")


def test_a_colour_is_picked_for_a_run_and_remembered(page: "Page", store: Store, serve: Serve) -> None:
    for name in ("third", "second", "first"):  # the newest stands first
        record(store, name)
    served = serve(store.root)
    open_page(page, served)
    wait_plot(page, "acc", "plot.data.length === 3")
    blue, orange, green = dots(page)

    pick(page, "third", "blue")
    until(page, f"document.querySelector('.legend .dot').style.getPropertyValue('--dot') === '{green}'")
    assert dots(page) == [green, orange, blue], "another run that had it has the one that is free"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Colour of third"
    wait_plot(page, "acc", f"plot.data.map(trace => trace.line.color).join() === '{green},{orange},{blue}'")
    pick(page, "second", "blue")
    wait_plot(page, "acc", "plot.data.map(trace => trace.line.dash).join() === 'solid,dash,solid'")
    assert dots(page)[1:] == [blue, blue], "runs of one picked colour are told apart by dashes"
    page.wait_for_load_state("networkidle")
    page.evaluate("localStorage.clear()")  # the server has it, too
    open_page(page, served)
    wait_plot(page, "acc", "plot.data.length === 3")
    assert dots(page)[1:] == [blue, blue]
    for name in ("second", "third"):
        pick(page, name, "As usual")
    until(page, "document.querySelector('.dot.hollow') === null")
    assert sorted(dots(page)) == sorted([blue, orange, green])


def test_a_colour_is_picked_in_the_legend_of_the_charts(page: "Page", store: Store, serve: Serve) -> None:
    for name in ("second", "first"):
        record(store, name)
    open_page(page, serve(store.root))
    wait_plot(page, "acc", "plot.data.length === 2")
    blue, orange = dots(page)
    pick(page, "second", "blue", ".legend")
    wait_plot(page, "acc", f"plot.data.map(trace => trace.line.color).join() === '{orange},{blue}'")
    assert dots(page) == [orange, blue]
    focused = "document.activeElement.closest('.legend') && document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(focused) == "Colour of second"
    page.keyboard.press("Tab")  # to the name, which hides the run
    page.keyboard.press("Enter")
    wait_plot(page, "acc", "plot.data.length === 1")
    assert page.evaluate("document.activeElement.innerText") == "second"
    assert page.evaluate("document.activeElement.ariaPressed") == "false"


def test_a_page_that_is_sent_has_the_colours_that_were_picked(
    page: "Page", store: Store, serve: Serve, tmp_path: Path
) -> None:
    for name in ("second", "first"):
        record(store, name)
    open_page(page, serve(store.root))
    wait_plot(page, "acc", "plot.data.length === 2")
    blue, orange = dots(page)
    pick(page, "second", "blue")
    until(page, f"document.querySelector('.legend .dot').style.getPropertyValue('--dot') === '{orange}'")
    page.wait_for_load_state("networkidle")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="View as HTML").click()
    waiting.value.save_as(tmp_path / "runs.html")
    page.goto((tmp_path / "runs.html").as_uri())
    wait_plot(page, "acc", f"plot.data.map(trace => trace.line.color).join() === '{orange},{blue}'")
    assert dots(page) == [orange, blue]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_colours_to_pick(page: "Page", store: Store, serve: Serve, scheme: str) -> None:
    record(store, "one")
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, serve(store.root))
    pick(page, "one", "orange")
    page.locator(".legend").get_by_role("button", name="Colour of one").click()
    page.get_by_role("dialog").get_by_role("button", name="orange", pressed=True).wait_for()
    assert serious(page) == []
