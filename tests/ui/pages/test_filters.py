"""Filters to click: chips of a query, and a box that adds one, in a real browser."""

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from runlore import Store
from tests.ui.browsing import names, open_page, query, search, until, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ODD = r"""name != 'it\'s and "b"'"""


def chips(page: "Page") -> list[str]:
    return page.locator(".filters .who").all_inner_texts()


def value_of(page: "Page", field: str) -> "Locator":
    """Choose a field to filter by; return the box with its values."""
    page.get_by_role("button", name="Filter", exact=True).click()
    page.keyboard.type(field)
    box = page.get_by_role("dialog", name="Filter")
    box.get_by_role("button", name=field, exact=True).click()
    return box


def test_filters_are_added_and_taken_off_by_clicks(page: "Page", real: Served) -> None:
    open_page(page, real, "/?exp=sweep")
    wait_names(page, lambda found: len(found) == 12)
    value_of(page, "params.model").get_by_role("button", name="cnn 6").click()
    wait_names(page, lambda found: len(found) == 6)
    box = value_of(page, "params.lr")
    box.get_by_role("textbox", name="at least").fill("0.005")
    box.get_by_role("textbox", name="at most").fill("0.05")
    page.keyboard.press("Enter")
    wait_names(page, lambda found: found == ["sweep-0.01-2", "sweep-0.01-0"])
    assert chips(page) == ['params.model == "cnn"', "params.lr >= 0.005", "params.lr <= 0.05"]
    typed = page.get_by_role("combobox", name="Filter runs by a query")
    assert query(page)["q"] == [typed.input_value()] == [" and ".join(chips(page))]
    page.get_by_role("button", name="Take off the filter params.lr <= 0.05").click()
    wait_names(page, lambda found: len(found) == 4)
    page.get_by_role("button", name='Take off the filter params.model == "cnn"').click()
    wait_names(page, lambda found: len(found) == 8)
    assert typed.input_value() == "params.lr >= 0.005"
    page.reload()
    wait_names(page, lambda found: len(found) == 8)
    page.get_by_role("button", name="Take off the filter").click()
    wait_names(page, lambda found: len(found) == 12)
    assert chips(page) == []
    assert "q" not in query(page)


def test_a_status_is_a_filter_of_three_clicks(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    value_of(page, "status").get_by_role("button", name="failed").click()
    assert wait_names(page, lambda found: len(found) == 1) == [
        run.name for run in Store(real.store).runs('status == "failed"')
    ]


def test_words_that_are_typed_are_chips(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    search(page, "0.01- sweep")
    wait_names(page, lambda found: len(found) == 4)
    assert chips(page) == ["“0.01-”", "“sweep”"]
    page.get_by_role("button", name="Take off the filter “0.01-”").click()
    wait_names(page, lambda found: len(found) == 12)


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ('params.who == "a and b" and params.n == 1', ['params.who == "a and b"', "params.n == 1"]),
        ('params.n == 1 or params.who == "x"', ['(params.n == 1 or params.who == "x")']),
        ("(params.n == 1 and id != 'x') and params.n in [1]", ["(params.n == 1 and id != 'x')", "params.n in [1]"]),
        (f"{ODD} and not params.n > 3", [ODD, "not params.n > 3"]),
        ('params["x or y"] == 1 and params.n == 1', ['params["x or y"] == 1', "params.n == 1"]),
    ],
)  # fmt: skip
def test_a_query_is_parted_where_all_have_to_hold(
    page: "Page", store: Store, serve: Serve, asked: str, parts: list[str]
) -> None:
    store.start_run("one", params={"n": 1, "who": "a and b", "x or y": 1}).finish()
    open_page(page, serve(store.root), f"/?q={quote(asked)}")
    page.locator(".filters .chip").first.wait_for()
    assert chips(page) == parts


def test_what_a_run_recorded_is_a_filter_whatever_it_is(page: "Page", store: Store, serve: Serve) -> None:
    values = ['a" and b', "it's", "<b>x</b>", "back\\slash", None, True, 3]
    for place, value in enumerate(values):
        store.start_run(f"run-{place}", params={"odd": value} if value is not None else {"even": 1}).finish()
    open_page(page, serve(store.root))
    for place, value in enumerate(values):
        wait_names(page, lambda found: len(found) == len(values))
        words = "none" if value is None else str(value)
        value_of(page, "params.odd").get_by_role("button", name=f"{words} 1", exact=True).click()
        wait_names(page, [f"run-{place}"].__eq__)
        assert len(chips(page)) == 1
        page.get_by_role("button", name="Take off the filter").click()
    assert len(names(page)) > 0


def test_runs_that_have_a_field_at_all_are_a_click_however_many_values_it_has(
    page: "Page", store: Store, serve: Serve
) -> None:
    for place in range(40):
        store.start_run(f"run-{place}", tags={"paper": f"draft {place}"} if place else {}).finish()
    open_page(page, serve(store.root))
    wait_names(page, lambda found: "run-0" in found or len(found) > 30)
    value_of(page, "tags.paper").get_by_role("button", name="any value 39", exact=True).click()
    until(page, "document.querySelector('.foot').textContent.startsWith('39 runs')")
    assert chips(page) == ["tags.paper is not None"]
    page.get_by_role("button", name="Take off the filter").click()
    value_of(page, "tags.paper").get_by_role("button", name="none 1", exact=True).click()
    wait_names(page, ["run-0"].__eq__)
