"""Everyday jobs on the page of all runs: experiments, words, best values, groups, coming back, a server that ends."""

import csv
import io
import shutil
from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import SWEEP, names, open_page, plot_of, query, search, until, wait_names, wait_plot
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_an_experiment_is_chosen_by_a_click_and_remembered(page: "Page", real: Served) -> None:
    open_page(page, real)
    before = len(wait_names(page, lambda found: len(found) > 12))
    page.get_by_role("button", name="Experiment: all").click()
    page.get_by_role("dialog").get_by_role("button", name="sweep").click()
    wait_names(page, lambda found: len(found) == 12)
    assert query(page)["exp"] == ["sweep"]
    assert page.title() == "sweep · runlore"
    page.get_by_role("link", name="Runs", exact=True).click()
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Experiment: sweep").click()
    page.get_by_role("dialog").get_by_role("button", name="All experiments").click()
    wait_names(page, lambda found: len(found) == before)


def test_a_word_finds_runs(page: "Page", real: Served) -> None:
    open_page(page, real)
    wait_names(page, lambda found: len(found) > 12)
    search(page, "0.01- sweep")
    wait_names(page, lambda found: len(found) == 4)
    box = page.get_by_role("combobox", name="Filter runs by a query")
    assert box.input_value().count("like(name, ") == 2, "the query that it stands for is shown"
    assert query(page)["q"] == [box.input_value()]


def test_the_best_value_is_as_near_as_the_last(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&cols=metrics.loss&sort=metrics.loss")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Last, min or max of metrics.loss").click()
    page.get_by_role("button", name="max", exact=True).click()
    expected = [run.name for run in Store(real.store).runs('experiment == "sweep"', sort="metrics.loss.max")]
    wait_names(page, lambda found: found == expected)
    assert (query(page)["cols"], query(page)["sort"]) == (["metrics.loss.max"], ["metrics.loss.max"])
    page.get_by_role("button", name="Columns").click()
    page.get_by_role("checkbox", name="metrics.loss.min", exact=True).check()
    page.locator(".runs th", has_text="loss.min").wait_for()


def test_a_view_is_saved_shown_again_and_forgotten(page: "Page", real: Served) -> None:
    open_page(page, real, "/?exp=sweep&cols=params.lr&sort=name&tab=scatter")
    mine = wait_names(page, lambda found: len(found) == 12)
    saved = query(page)
    page.get_by_role("button", name="Views").click()
    page.keyboard.type("by <b>name</b>")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="by <b>name</b>", exact=True).wait_for()
    open_page(page, real, "/?exp=default&sort=-name")
    wait_names(page, lambda found: not set(mine) & set(found))
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="by <b>name</b>", exact=True).click()
    wait_names(page, lambda found: found == mine)
    assert query(page) == saved
    page.go_back()
    wait_names(page, lambda found: not set(mine) & set(found))
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="Forget by <b>name</b>").click()
    page.get_by_text("None yet.").wait_for()
    assert real.post("/api/settings", {"name": "view odd", "value": "javascript:alert(1)"}).status == 200
    page.reload()
    page.get_by_role("button", name="Views").click()
    page.get_by_text("None yet.").wait_for()


def test_choices_survive_the_server_and_its_address(page: "Page", own: Served, serve: Serve) -> None:
    """Views, columns, the theme and the experiment belong to the user and the store; another store has none of them."""
    open_page(page, own, "/?exp=sweep&cols=params.lr&sort=name")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Views").click()
    page.keyboard.type("mine")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="mine", exact=True).wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Experiment: sweep").click()
    page.get_by_role("dialog").get_by_role("button", name="default").click()
    page.get_by_role("button", name="Experiment: default").wait_for()
    before = page.evaluate("document.documentElement.dataset.theme")
    page.get_by_role("button", name="Light or dark").click()
    until(page, f"document.documentElement.dataset.theme !== '{before}'")
    until(page, "localStorage.getItem('runlore-unsent') === '[]'")
    own.end()
    again = serve(own.store)
    assert again.root != own.root
    open_page(page, again)
    page.get_by_role("button", name="Experiment: default").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") != before
    page.get_by_role("button", name="Views").click()
    page.get_by_role("button", name="mine", exact=True).click()
    wait_names(page, lambda found: len(found) == 12)
    assert (query(page)["exp"], query(page)["cols"]) == (["sweep"], ["params.lr"])


def test_the_table_is_kept_as_csv(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&cols=params.lr&cols=metrics.loss&sort=-metrics.loss")
    shown = wait_names(page, lambda found: len(found) == 12)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download", exact=True).click()
        page.get_by_role("button", name="Table as CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_bytes().decode())))
    assert [row["name"] for row in rows] == shown
    run = Store(real.store).run(rows[0]["id"])
    assert float(rows[0]["metrics.loss"]) == run.metrics["loss"].last


def test_boxes_open_where_there_is_room(page: "Page", real: Served) -> None:
    page.set_viewport_size({"width": 1280, "height": 768})
    open_page(page, real, f"/?{SWEEP}")
    shown = wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("checkbox", name=f"Select {shown[0]}", exact=True).check()
    for name in ("Tag", "Note"):
        page.get_by_role("button", name=name, exact=True).click()
        box = page.get_by_role("dialog").bounding_box()
        assert box
        assert box["y"] >= 0
        assert box["y"] + box["height"] <= 768
        page.keyboard.press("Escape")


def test_boxes_open_beside_their_buttons_where_a_phone_is_scrolled(page: "Page", real: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    open_page(page, real, f"/?{SWEEP}")
    opened = plot_of(page, "grad_norm").get_by_role("button", name="Download grad_norm")
    opened.click()
    assert page.evaluate("scrollY") > 0
    button, box = opened.bounding_box(), page.get_by_role("dialog").bounding_box()
    assert button
    assert box
    assert min(abs(box["y"] - button["y"] - button["height"]), abs(box["y"] + box["height"] - button["y"])) < 8


def test_a_list_takes_what_is_typed(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Columns").click()
    until(page, "document.activeElement.type === 'search' && document.activeElement.closest('.pop') !== null")
    page.keyboard.type("val/acc")
    assert page.get_by_role("searchbox", name="Find a column").input_value() == "val/acc"
    assert page.locator(".pop .check.many").count() == 1
    assert page.get_by_role("combobox", name="Filter runs by a query").input_value() == 'experiment == "sweep"'


def test_coming_back_leads_to_the_same_place(page: "Page", many: Served) -> None:
    open_page(page, many)
    wait_names(page, lambda found: "run-9999" in found)
    page.locator(".scroll").evaluate("box => box.scrollTop = 5000 * 28")
    wait_names(page, lambda found: "run-4990" in found)
    until(page, "history.state?.top === 5000 * 28")
    page.get_by_role("link", name="run-4990", exact=True).click()
    page.get_by_role("heading", name="run-4990").wait_for()
    page.go_back()
    wait_names(page, lambda found: "run-4990" in found)


def test_pictures_take_the_first_runs_of_the_table(page: "Page", many: Served) -> None:
    best = Store(many.store).runs(sort="-metrics.val_acc", limit=1)[0]
    tab = "tab=scatter&sx=params.lr&sy=metrics.val_acc"
    open_page(page, many, f"/?sort=-metrics.val_acc&cols=metrics.val_acc&{tab}")
    page.get_by_text("of 10000 the first 1000 of the table are looked at").wait_for()
    until(page, "document.querySelector('.big')?.data?.[0].customdata.length > 900")
    assert page.evaluate("document.querySelector('.big').data[0].customdata[0]") == best.id


def test_logarithms_of_a_scatter_plot_are_its_own(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=scatter&sx=params.lr")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    page.get_by_role("checkbox", name="log x").check()
    until(page, "document.querySelector('.big').layout.xaxis.type === 'log'")
    page.get_by_role("tab", name="Curves").click()
    plot_of(page, "loss")
    wait_plot(page, "loss", "plot.layout.xaxis.type === 'linear'")


def test_axes_are_found_by_typing(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=scatter")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    page.get_by_role("button", name="y: ").click()
    page.keyboard.type("loss max")
    page.get_by_role("button", name="metrics.loss.max", exact=True).click()
    until(page, "document.querySelector('.big').layout.yaxis.title.text === 'loss.max'")
    assert query(page)["sy"] == ["metrics.loss.max"]
    page.get_by_role("button", name="colour: ").click()
    page.get_by_role("button", name="params.seed", exact=True).click()
    until(page, "document.querySelector('.big').data.at(-1).marker.showscale === true")


def test_a_param_and_a_metric_of_one_name_are_told_apart(page: "Page", store: Store, serve: Serve) -> None:
    for lr in (0.1, 0.2):
        with store.start_run(params={"lr": lr}) as run:
            run.log_metrics({"lr": lr / 2, "loss": lr}, 0)
    open_page(page, serve(store.root), "/?cols=params.lr&cols=metrics.lr&cols=metrics.loss")
    wait_names(page, lambda found: len(found) == 2)
    heads = [text.strip() for text in page.locator(".runs th").all_inner_texts()]
    assert [head.split("\n")[0].rstrip("▾ ") for head in heads[-5:-2]] == ["lr (param)", "lr (metric)", "loss"]


def test_groups_sort_open_and_none_is_lost_from_a_chart(page: "Page", store: Store, serve: Serve) -> None:
    for number, owner in enumerate(("ann", "ann", "ben", "ben")):
        with store.start_run(f"run-{number}", tags={"owner": owner}) as run:
            for step in range(2):
                run.log_metrics({"val_loss": 1.0 + number} | ({"train_loss": 2.0} if owner == "ann" else {}), step)
    cols = "cols=metrics.train_loss&cols=metrics.val_loss"
    open_page(page, serve(store.root), f"/?group=tags.owner&{cols}")
    plot_of(page, "val_loss")
    wait_plot(page, "val_loss", "plot.data.filter(trace => trace.name).length === 2")
    named = "rows => rows.map(row => row.cells[1].textContent)"
    page.locator(".groups th button", has_text="val_loss").click()
    assert page.eval_on_selector_all(".groups tbody tr", named) == ["ben", "ann"]
    page.locator(".groups th button", has_text="val_loss").click()
    assert page.eval_on_selector_all(".groups tbody tr", named) == ["ann", "ben"]
    page.get_by_role("button", name="ben", exact=True).click()
    assert wait_names(page, lambda found: len(found) == 2) == ["run-3", "run-2"]
    assert query(page)["q"] == ['tags.owner == "ben"']


def test_the_table_stays_where_the_server_does_not_answer(
    page: "Page", store: Store, serve: Serve, expected: list[str]
) -> None:
    for number in range(3):
        store.start_run(f"run-{number}").finish()
    served = serve(store.root)
    open_page(page, served)
    wait_names(page, lambda found: len(found) == 3)
    expected.append("ERR_CONNECTION_REFUSED")
    expected.append("ERR_INCOMPLETE_CHUNKED_ENCODING")
    served.end()
    page.locator(".runs th button").first.click()
    page.get_by_role("alert").get_by_text("does not answer").wait_for()
    assert len(names(page)) == 3
    page.get_by_role("button", name="Retry").click()
    page.get_by_role("alert").get_by_text("does not answer").wait_for()


def test_a_store_that_was_removed_is_told_of(page: "Page", store: Store, serve: Serve) -> None:
    store.start_run("here").finish()
    open_page(page, serve(store.root))
    wait_names(page, lambda found: found == ["here"])
    light = "getComputedStyle(document.querySelector('.live'), '::before').backgroundColor"
    before = page.evaluate(light)
    shutil.rmtree(store.root)
    page.get_by_text("The store is not there any more").wait_for()
    assert page.evaluate(light) != before


def test_undo_is_offered_where_something_can_come_back(page: "Page", store: Store, serve: Serve) -> None:
    store.start_run("here").finish()
    store.start_run("gone").finish()
    open_page(page, serve(store.root))
    wait_names(page, lambda found: len(found) == 2)
    undo = page.get_by_role("button", name="Undo last removal")
    assert undo.count() == 0
    page.get_by_role("checkbox", name="Select gone").check()
    page.get_by_role("button", name="Remove").click()
    wait_names(page, lambda found: found == ["here"])
    undo.click()
    wait_names(page, lambda found: len(found) == 2)


def test_a_server_that_was_started_again_says_what_to_do(
    page: "Page", store: Store, serve: Serve, expected: list[str]
) -> None:
    store.start_run("here").finish()
    served = serve(store.root)
    open_page(page, served)
    wait_names(page, lambda found: found == ["here"])
    expected += ["ERR_CONNECTION_REFUSED", "ERR_INCOMPLETE_CHUNKED_ENCODING", "400 (Bad Request)"]
    served.end()
    serve(store.root, "--port", str(served.port))
    page.get_by_text("started again: open the address that it printed").wait_for()
