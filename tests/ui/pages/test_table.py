"""The table of runs in a real browser: sorting, queries, columns, the keyboard, the address."""

import json
import re
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, data_of, names, open_page, plot_of, query, search, until, wait_names
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_the_first_visit_shows_the_newest_runs_and_no_token(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    assert "token" not in page.url
    newest = Store(real.store).runs("parent is None", limit=5)
    assert names(page)[:5] == [run.name for run in newest]
    assert "runs" in page.locator(".foot").inner_text()


def test_ten_thousand_runs_scroll_in_a_window(page: "Page", many: Served) -> None:
    open_page(page, many)
    wait_names(page, lambda found: "run-9999" in found)
    assert page.locator(".runs tbody tr").count() < 100
    assert "10,000 runs" in page.locator(".foot").inner_text()
    page.locator(".scroll").evaluate("box => box.scrollTop = box.scrollHeight")
    wait_names(page, lambda found: bool(found) and found[-1] == "run-0000")
    page.locator(".scroll").evaluate("box => box.scrollTop = 5000 * 28")
    wait_names(page, lambda found: "run-4990" in found)
    assert page.locator(".runs tbody tr").count() < 100


def test_a_head_sorts_by_its_column_and_says_so(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    head = page.locator(".runs th", has=page.get_by_role("button", name="val/acc"))
    expected = [run.name for run in Store(real.store).runs('experiment == "sweep"', sort='-metrics["val/acc"]')]
    head.get_by_role("button", name="val/acc").first.click()
    wait_names(page, lambda found: found == expected)
    assert head.get_attribute("aria-sort") == "descending"
    head.get_by_role("button", name="val/acc").first.click()
    wait_names(page, lambda found: found == expected[::-1])
    assert head.get_attribute("aria-sort") == "ascending"
    assert query(page)["sort"] == ['metrics["val/acc"]']


def test_a_query_filters_and_a_wrong_one_is_shown_in_place(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    search(page, 'params.lr == 0.1 and experiment == "sweep"')
    wait_names(page, lambda found: len(found) == 4)
    assert query(page)["q"] == ['params.lr == 0.1 and experiment == "sweep"']
    search(page, "params.lr == 0.1 andd x")
    complaint = page.get_by_role("alert")
    complaint.wait_for()
    assert "params.lr == 0.1 andd x" in complaint.inner_text()
    assert "^" in complaint.inner_text()
    assert len(names(page)) == 4
    search(page, "")
    wait_names(page, lambda found: len(found) > 12)
    search(page, "params.no_such_thing > 1")
    page.get_by_text("No run matches").wait_for()
    checks = "performance.getEntriesByType('resource').filter(({name}) => /check.*no_such_thing/.test(name)).length"
    until(page, f"{checks} == 2")  # on Enter, and when nothing more is typed
    assert "no run has params.no_such_thing" in page.get_by_role("alert").inner_text()


def test_a_wrong_query_in_the_address_is_told_of(page: "Page", real: Served) -> None:
    open_page(page, real, "/?q=params.lr+%3C")
    page.get_by_text("This query can't be understood").wait_for()
    assert "params.lr <" in page.get_by_role("alert").inner_text()


def test_keys_are_completed(page: "Page", real: Served) -> None:
    open_page(page, real)
    box = page.get_by_role("combobox", name="Filter runs by a query")
    box.press_sequentially("val/a")
    box.fill("")
    box.press_sequentially("acc")
    page.get_by_role("option").filter(has_text='metrics["val/acc"]').first.click()
    assert box.input_value() == 'metrics["val/acc"]'
    box.press_sequentially(".ma")
    box.press("Tab")
    assert box.input_value() == 'metrics["val/acc"].max'
    box.press_sequentially(' > 0.9 and status == "fin')
    box.press("Tab")
    assert box.input_value() == 'metrics["val/acc"].max > 0.9 and status == "finished"'
    wait_names(page, lambda found: len(found) == 4)


def test_columns_are_chosen(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("searchbox", name="Find a column").fill("team")
    page.get_by_role("checkbox", name=re.compile("tags.team")).check()
    page.keyboard.press("Escape")
    page.locator(".runs th", has_text="team").wait_for()
    assert "tags.team" in query(page)["cols"]
    page.reload()
    page.locator(".runs th", has_text="team").wait_for()


def test_columns_are_put_in_order_and_remembered(page: "Page", real: Served) -> None:
    open_page(page, real, "/?exp=sweep&cols=params.lr&cols=params.seed&cols=metrics.loss")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("button", name="Move metrics.loss to the left").press("Enter")
    page.keyboard.press("Enter")  # where the focus is: once more
    until(page, "new URLSearchParams(location.search).get('cols') === 'metrics.loss'")
    assert query(page)["cols"] == ["metrics.loss", "params.lr", "params.seed"]
    page.keyboard.press("Escape")
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    page.locator("button.within").get_by_text("sweep", exact=True).first.click()
    wait_names(page, lambda found: len(found) == 12)
    heads = page.locator(".runs thead th").all_inner_texts()
    assert [head.split()[0] for head in heads[2:6]] == ["status", "loss", "lr", "seed"]
    open_page(page, real)
    wait_names(page, lambda found: len(found) == 12)
    assert query(page)["cols"] == ["metrics.loss", "params.lr", "params.seed"]


def test_columns_of_every_run_are_taken_out_and_that_is_remembered(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    page.get_by_role("button", name="Columns").click()
    for name in ("status", "started", "took"):
        page.get_by_role("checkbox", name=name, exact=True).uncheck()
        page.locator(".runs th", has_text=name).wait_for(state="detached")
    page.keyboard.press("Escape")
    assert query(page)["less"] == ["status", "started", "duration"]
    assert page.locator(".runs .status").count() == 0
    page.goto(real.base)
    wait_names(page, lambda found: len(found) > 12)
    assert page.locator(".runs th", has_text="started").count() == 0
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="took", exact=True).check()
    page.locator(".runs th", has_text="took").wait_for()


def test_heads_sort_by_one_column_and_then_by_another(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&cols=params.model&cols=metrics.loss")
    wait_names(page, lambda found: len(found) == 12)
    for head, order in (
        ("model", "-params.model"),
        ("loss", "-params.model, -metrics.loss"),
        ("loss", "-params.model, metrics.loss"),
    ):
        page.locator(".runs th button", has_text=head).first.click(modifiers=[] if head == "model" else ["Shift"])
        sorted_so = f"new URLSearchParams(location.search).get('sort') === {order!r}"
        until(page, sorted_so)
    expected = [run.name for run in Store(real.store).runs('experiment == "sweep"', sort=order)]
    assert wait_names(page, lambda found: found == expected)
    assert query(page)["sort"] == [order]
    heads = page.locator(".runs th[aria-sort=ascending], .runs th[aria-sort=descending]").all_inner_texts()
    assert [head.split()[1] for head in heads] == ["▾1", "▴2"]
    page.locator(".runs th button", has_text="model").first.click()
    wait_names(page, lambda found: query(page)["sort"] == ["params.model"])


def test_a_second_order_counts_before_the_first_is_answered_and_keeps_the_focus(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&cols=params.model&cols=metrics.loss")
    wait_names(page, lambda found: len(found) == 12)
    held: list[Route] = []
    let_go: list[bool] = []
    page.route(re.compile("/api/runs"), lambda route: route.continue_() if let_go else held.append(route))
    page.locator(".runs th button", has_text="model").first.press("Enter")
    page.locator(".runs th button", has_text="loss").first.press("Shift+Enter")
    until(page, "new URLSearchParams(location.search).get('sort') === '-params.model, -metrics.loss'")
    let_go.append(True)
    for route in held:
        route.continue_()
    page.locator(".runs th[aria-sort=descending]", has_text="▾2").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "loss ▾2"


def test_columns_are_made_wider_and_that_is_remembered(page: "Page", real: Served) -> None:
    open_page(page, real, "/?exp=sweep&cols=params.lr&cols=params.seed")
    wait_names(page, lambda found: len(found) == 12)
    wide = "Math.round(document.querySelector('.runs thead th:nth-child(2)').getBoundingClientRect().width)"
    before = page.evaluate(wide)
    grip = page.get_by_role("button", name="Width of name: arrow keys change it")
    box = grip.bounding_box()
    assert box
    page.mouse.move(box["x"] + 3, box["y"] + 9)
    page.mouse.down()
    page.mouse.move(box["x"] + 103, box["y"] + 9, steps=4)
    page.mouse.up()
    assert page.evaluate(wide) == before + 100
    assert "sort" not in query(page), "the head was not pressed"
    page.reload()
    wait_names(page, lambda found: len(found) == 12)
    assert page.evaluate(wide) == before + 100
    grip.press("ArrowLeft")
    assert page.evaluate(wide) == before + 84
    page.reload()
    wait_names(page, lambda found: len(found) == 12)
    assert page.evaluate(wide) == before + 84
    grip.dblclick()
    assert page.evaluate(wide) == before
    page.evaluate("localStorage.setItem('runlore-widths', '[{]')")
    page.reload()
    wait_names(page, lambda found: len(found) == 12)
    assert page.evaluate(wide) == before


def test_rows_stay_while_others_are_asked_for(page: "Page", many: Served) -> None:
    """A click on what is seen is never lost, nor an error."""
    open_page(page, many)
    wait_names(page, lambda found: "run-9999" in found)
    for _ in range(5):
        page.evaluate(
            """() => {
                document.querySelectorAll('.runs th button')[1].click();
                document.querySelectorAll('.runs tbody input')[2].click();
            }"""
        )
        page.wait_for_timeout(100)
    assert len(names(page)) > 20


def test_children_are_listed_when_they_are_asked_for(page: "Page", real: Served) -> None:
    open_page(page, real)
    before = len(wait_names(page, lambda found: len(found) > 12))
    assert page.get_by_text(re.compile(r"^\s*\+\d+$")).count() > 0
    page.get_by_role("checkbox", name="children").check()
    wait_names(page, lambda found: len(found) > before)


def test_the_keyboard_is_enough(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.getAttribute('role')") == "combobox"
    page.keyboard.press("Escape")
    page.locator(".scroll").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    until(page, "new URLSearchParams(location.search).getAll('sel').length === 2")
    chosen = query(page)["sel"]
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/run/{chosen[1]}")
    page.go_back()
    wait_names(page, lambda found: len(found) == 12)
    assert page.get_by_text("2 selected").is_visible()


def test_the_address_is_the_state(page: "Page", real: Served) -> None:
    first, second = (run.id for run in Store(real.store).runs('experiment == "sweep"', limit=2))
    open_page(page, real, f"/?{SWEEP}&sel={second}&sel={first}&sort=name&x=relative&logy=1&smooth=0.5&find=loss")
    wait_names(page, lambda found: len(found) == 12)
    assert names(page) == sorted(names(page))
    plot_of(page, "loss")
    assert page.get_by_text("2 selected").is_visible()
    assert page.locator(".card").count() == 2
    page.get_by_role("button", name="Axes").click()
    assert page.get_by_role("checkbox", name="log y").is_checked()
    assert page.evaluate("document.querySelector(\".card[data-key='loss'] .plot\").layout.yaxis.type") == "log"
    lines = data_of(page, "loss")
    assert [trace["color"] for trace in lines[::2]] == [trace["color"] for trace in lines[1::2]]
    assert max(lines[0]["x"]) < 60


def test_the_divider_moves_and_is_remembered(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    before = page.locator(".left").bounding_box()
    page.locator(".divider").focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    after = page.locator(".left").bounding_box()
    assert before
    assert after
    assert after["width"] < before["width"]
    page.reload()
    wait_names(page, lambda found: len(found) > 12)
    again = page.locator(".left").bounding_box()
    assert again
    assert again["width"] == pytest.approx(after["width"], abs=2)


def test_runs_that_are_gone_are_not_selected(page: "Page", own: Served, expected: list[str]) -> None:
    expected.append("404 (Not Found)")  # Chromium's word for a curve that was asked for before the news came
    run = Store(own.store).run("sweep-0.1-1").id
    open_page(page, own, f"/?{SWEEP}&sel={run}")
    page.get_by_text("1 selected").wait_for()
    own.post("/api/remove", {"runs": [run]})
    page.get_by_text("1 selected").wait_for(state="hidden")
    until(page, "!location.search.includes('sel=')")


def test_a_box_does_not_outlive_its_page_nor_does_a_query(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Columns").click()
    page.locator(".pop").wait_for()
    page.get_by_role("combobox", name="Filter runs by a query").evaluate(
        "box => { box.value = 'params.lr < 0.05'; box.dispatchEvent(new Event('input')); }"
    )
    page.locator(".runs tbody a").first.evaluate("link => link.click()")
    page.locator(".run-head h1").wait_for()
    page.wait_for_timeout(600)
    assert page.locator(".pop").count() == 0
    assert page.evaluate("location.search") == ""


def test_the_focus_stays_where_it_was(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    box = page.get_by_role("checkbox", name="Select sweep-0.1-1")
    box.focus()
    page.keyboard.press("Space")
    page.get_by_text("1 selected").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Select sweep-0.1-1"
    page.get_by_role("tab", name="Curves").focus()
    page.keyboard.press("ArrowRight")
    until(page, "document.activeElement.textContent === 'Scatter'")


def test_who_is_in_the_table_stays_where_other_columns_come(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    held: list[Route] = []
    page.route(re.compile("/api/columns"), lambda route: held.append(route))  # noqa: PLW0108
    search(page, "sweep-0.1")
    wait_names(page, lambda found: len(found) == 4 and len(held) == 1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("j")
    heads = page.locator(".runs thead").inner_text()
    held[0].continue_()
    until(page, f"document.querySelector('.runs thead').innerText !== {json.dumps(heads)}")
    for key in ("Space", "j", "Space"):
        page.keyboard.press(key)
    until(page, "new URLSearchParams(location.search).getAll('sel').length === 2")
