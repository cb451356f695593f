"""Keys that the page knows, and their list, in a real browser."""

from typing import TYPE_CHECKING

from tests.ui.browsing import SWEEP, names, open_page, until, wait_names
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

IN_TABLE = "document.activeElement.closest('.scroll') !== null"


def test_a_key_lists_the_keys_and_escape_leads_back(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    listed = page.get_by_role("dialog", name="Keys")
    page.keyboard.press("?")
    assert {"j", "k", "Space", "?", "/"} <= set(listed.locator("kbd").all_inner_texts())
    assert page.evaluate("document.activeElement.closest('[role=dialog]') !== null"), "a screen reader reads it"
    page.keyboard.press("Escape")
    listed.wait_for(state="detached")
    page.get_by_role("checkbox", name=f"Select {names(page)[0]}", exact=True).check()
    page.keyboard.press("?")
    listed.wait_for()
    page.keyboard.press("Escape")
    until(page, IN_TABLE)
    assert page.get_by_text("1 selected").is_visible(), "Esc closed the list, and took no selection"
    page.keyboard.press("/")
    page.keyboard.type("like?")
    assert page.get_by_role("combobox", name="Filter runs by a query").input_value().endswith("like?")
    assert listed.count() == 0
    page.get_by_role("button", name="Keys", exact=True).click()
    listed.wait_for()


def test_each_page_has_the_list_of_keys(page: "Page", real: Served) -> None:
    open_page(page, real, "/models")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
