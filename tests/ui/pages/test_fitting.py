"""What is shown fits where it is shown, and is said so that people read it, in a real browser."""

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runlore import Store
from tests.ui.browsing import data_of, names, open_page, plot_of, until, wait_names, wait_plot
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

BELOW = """(() => {
    const bottom = node => node.getBoundingClientRect().bottom;
    const end = Math.min(innerHeight, bottom(document.querySelector('.rightside')));
    return [...document.querySelectorAll('.big text')].filter(text => bottom(text) > end).map(text => text.textContent);
})()"""
CUT = """all => all.map(one => one.closest('td')).filter(cell => cell.scrollWidth > cell.clientWidth)
    .map(cell => cell.textContent)"""
TICKS = "[...document.querySelectorAll('.xtick text, .ytick text')].map(text => text.textContent)"


def record(store: Store, name: str, values: dict[str, list[float]], **params: object) -> str:
    """A run with params and metrics of some values, one a step."""
    with store.start_run(name, params=params) as run:
        for key, series in values.items():
            for step, value in enumerate(series):
                run.log_metrics({key: value}, step)
    return run.id


def test_a_long_name_of_a_metric_hides_none_of_its_numbers(page: "Page", store: Store, serve: Serve) -> None:
    run = record(store, "long", {"layers_0_attention_" * 9 + "entropy": [0.5, 0.25], "loss": [1.0, 2.0]})
    open_page(page, serve(store.root), f"/run/{run}")
    row = page.get_by_role("row", name=re.compile("entropy"))
    row.wait_for()
    section = row.locator("xpath=ancestor::section")
    assert section.evaluate("section => section.scrollWidth <= section.clientWidth")
    assert "0.25" in row.inner_text()


def test_metrics_of_a_run_stand_by_use_and_in_their_natural_order(page: "Page", store: Store, serve: Serve) -> None:
    keys = ["layer/10", "layer/9", "epoch_time", "loss", "val/acc", "lr"]
    run = record(store, "one", {key: [1.0] for key in keys})
    open_page(page, serve(store.root), f"/run/{run}")
    page.get_by_role("row", name=re.compile("^loss")).wait_for()
    shown = page.locator("section:has(h2:text-is('Metrics')) tbody tr > :first-child").all_inner_texts()
    assert shown == ["val/acc", "layer/9", "layer/10", "loss", "epoch_time", "lr"]


def test_each_run_is_told_how_its_curve_differs_from_the_first(page: "Page", store: Store, serve: Serve) -> None:
    curves = {"first": [1.0, 1.0, 1.0], "same": [1.0, 1.0, 1.0], "late": [1.0, 1.0, 3.0], "early": [1.0, 0.5, 0.5]}
    ids = [record(store, name, {"loss": curve}) for name, curve in curves.items()]
    open_page(page, serve(store.root), "/compare?" + "&".join(f"runs={run}" for run in ids))
    row = page.get_by_role("row", name=re.compile("^loss"))
    row.wait_for()
    heads = row.locator("xpath=ancestor::table").locator("thead th").all_inner_texts()
    cells = dict(zip([head.strip() for head in heads], row.locator("td").all_inner_texts(), strict=True))
    assert "same" in cells["same"]
    assert re.search(r"\+2, from step 2", cells["late"])
    assert re.search(r"−0.5, from step 1", cells["early"])


@pytest.mark.parametrize("picture", ["scatter&sx=params.lr&sy=metrics.acc", "parallel"])
@pytest.mark.parametrize("height", [700, 860])
def test_a_picture_ends_within_its_pane(page: "Page", store: Store, serve: Serve, picture: str, height: int) -> None:
    for number in range(5):
        record(store, f"run-{number}", {"acc": [number / 10]}, lr=10.0**-number, depth=number)
    page.set_viewport_size({"width": 1440, "height": height})
    open_page(page, serve(store.root), f"/?tab={picture}")
    page.locator(".js-plotly-plot .points .point").nth(4).wait_for()
    assert page.evaluate(BELOW) == []


def test_the_box_of_values_fits_however_many_runs_there_are(page: "Page", store: Store, serve: Serve) -> None:
    ids = [record(store, f"run-{number}", {"loss": [number, number]}) for number in range(36)]
    open_page(page, serve(store.root), "/?" + "&".join(f"sel={run}" for run in ids))
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 36")
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    page.locator(".hover").get_by_text("and 22 more").wait_for()
    told = page.locator(".hover").bounding_box()
    assert told
    assert told["y"] >= 0
    assert told["y"] + told["height"] <= 860
    assert page.locator(".hover .nearest").count() == 1


def test_axes_write_numbers_as_people_do(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("long") as run:
        for step in range(0, 50_000, 5_000):
            run.log_metrics({"lr": 1e-5 * (step + 5000) / 5000, "loss": 4e13 + step * 1e9}, step)
    open_page(page, serve(store.root))
    for key in ("lr", "loss"):
        plot_of(page, key)
    until(page, f"{TICKS}.length > 8")
    assert [tick for tick in page.evaluate(TICKS) if re.search("[a-df-zA-Zµ]", tick)] == []


def test_groups_are_named_rounded_and_told_apart(page: "Page", store: Store, serve: Serve) -> None:
    for lr in range(12):
        for seed in range(2):
            record(store, f"run-{lr}-{seed}", {"acc": [0.003, 0.003]}, lr=lr, seed=seed)
    open_page(page, serve(store.root), "/?group=params.lr")
    page.locator(".groups tbody tr").nth(11).wait_for()
    assert {text.split(" (")[0] for text in page.locator(".groups td:last-child").all_inner_texts()} == {"0.003 ± 0"}
    legend = page.locator(".legend > span")
    assert sorted(legend.all_inner_texts()) == sorted(f"lr {lr}" for lr in range(12))
    drawn = "all => all.map(dot => [dot.className, dot.style.getPropertyValue('--dot')].join())"
    for dots in (".legend .dot", ".groups .dot"):
        assert len(set(page.eval_on_selector_all(dots, drawn))) == 12
    plot_of(page, "acc")
    wait_plot(page, "acc", "plot.data.length === 36")
    dashed = "document.querySelector('.card .plot').data.filter(trace => trace.name).map(trace => trace.line.dash)"
    assert page.evaluate(dashed).count("dash") == 2
    assert len(data_of(page, "acc")) == 36


def test_axes_are_those_that_runs_share(page: "Page", store: Store, serve: Serve) -> None:
    for number in range(6):
        own = {"depth": number} if number % 2 else {"width": number}
        record(store, f"run-{number}", {"acc": [float(number)]}, lr=number, **own)
    open_page(page, serve(store.root), "/?tab=parallel")
    page.locator(".js-plotly-plot .points .point").nth(5).wait_for()
    page.get_by_text("6 runs have all of these").wait_for()


def test_a_list_of_columns_says_what_is_not_in_it(page: "Page", store: Store, serve: Serve) -> None:
    record(store, "wide", {"acc": [1.0]}, **{f"param_{number:03}": number for number in range(200)})
    open_page(page, serve(store.root))
    wait_names(page, lambda found: found == ["wide"])
    page.get_by_role("button", name="Columns").click()
    page.get_by_text(re.compile(r"and \d+ more: type a part of the name")).wait_for()
    page.keyboard.type("param_199")
    page.get_by_role("checkbox", name=re.compile("params.param_199")).check()
    page.locator(".runs th", has_text="param_199").wait_for()


def test_every_status_fits_its_column(page: "Page", store: Store, serve: Serve) -> None:
    for status in ("finished", "failed", "interrupted"):
        store.start_run(status).finish(status)
    open_page(page, serve(store.root))
    wait_names(page, lambda found: len(found) == 3)
    assert page.locator(".runs .status").count() == 3
    assert page.eval_on_selector_all(".runs .status", CUT) == []


def test_an_empty_store_says_nothing_of_metrics_and_ends_at_the_edge(page: "Page", store: Store, serve: Serve) -> None:
    open_page(page, serve(store.root))
    page.get_by_text("No runs yet").wait_for()
    assert page.get_by_text("These runs have no metrics").count() == 0
    assert names(page) == []
    box = page.locator(".foot").bounding_box()
    assert box
    assert box["y"] + box["height"] == pytest.approx(860, abs=1)


def test_pictures_of_an_empty_store_say_that_nothing_is_there(page: "Page", store: Store, serve: Serve) -> None:
    """The page's fixture tells whether the page is at fault."""
    open_page(page, serve(store.root))
    page.get_by_text("No runs yet").wait_for()
    dots = "No run has params or metrics yet"
    said = {
        "Scatter": dots, "Parallel": "Two axes at least", "Heat map": "0 runs have all three", "Box plot": dots,
        "Importance": "No run has a metric yet",
    }  # fmt: skip
    for tab, words in said.items():
        page.get_by_role("tab", name=tab).click()
        page.locator(".rightside").get_by_text(words).wait_for()
    assert page.locator(".said .bad").count() == 0


LINES = """where => {
    const row = [...document.querySelector(where).children].map(child => child.getBoundingClientRect());
    return new Set(row.filter(box => box.width > 0).map(box => Math.round((box.top + box.bottom) / 12))).size;
}"""
BOX = "node => { const box = node.getBoundingClientRect(); return [box.left, box.top, box.right, box.bottom]; }"


def sweep(store: Store, count: int = 12) -> None:
    for number in range(count):
        params = {f"param_{place}": number / 10 for place in range(6)}
        record(store, f"run-{number:02}", {"val/acc": [0.1, 0.2], "val/loss": [0.2, 0.1]}, **params)


def test_controls_of_charts_and_of_the_selection_take_a_line_each(page: "Page", store: Store, serve: Serve) -> None:
    sweep(store)
    page.set_viewport_size({"width": 1024, "height": 700})
    open_page(page, serve(store.root))
    plot_of(page, "val/acc")
    page.get_by_role("checkbox", name="Select run-07").check()
    page.get_by_role("checkbox", name="Select run-08").check()
    for row in ("[role=tablist]", ".controls .own", ".picked"):
        assert page.evaluate(LINES, row) == 1, row


def test_a_message_lies_over_neither_the_selection_nor_what_is_below(
    page: "Page", store: Store, serve: Serve, expected: list[str]
) -> None:
    expected.append("400 (Bad Request)")  # to remove what is pinned
    sweep(store)
    served = serve(store.root)
    assert served.post("/api/pin", {"runs": [store.run("run-07").id]}).status == 200
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 800})
        open_page(page, served)
        page.get_by_role("checkbox", name="Select run-07").check()
        page.get_by_role("button", name="Remove").click()
        said = page.get_by_text("is pinned: nothing was removed").evaluate(BOX)
        assert said[0] >= 0
        assert said[2] <= width
        if width > 900:  # else the bar lies in mid page
            for other in (".picked", ".foot"):
                assert said[3] <= page.locator(other).evaluate(BOX)[1]


def test_boxes_and_names_stay_where_a_wide_table_is_scrolled(page: "Page", store: Store, serve: Serve) -> None:
    sweep(store)
    page.set_viewport_size({"width": 1024, "height": 700})
    columns = "&".join(f"cols=params.param_{place}" for place in range(6))
    open_page(page, serve(store.root), f"/?{columns}")
    page.get_by_role("link", name="run-07").wait_for()
    link = "[...document.querySelectorAll('.left a')].find(link => link.textContent === 'run-07')"
    box = f"() => ({BOX})({link})"  # in one step: the rows may be drawn again between two
    until(page, "document.querySelector('.left > .scroll.more') !== null")
    before = page.evaluate(box)
    page.locator(".left > .scroll").evaluate("node => node.scrollTo(10_000, 0)")
    until(page, "document.querySelector('.left > .scroll.more') === null")
    assert page.evaluate(box) == before
    top = "([left, top]) => document.elementFromPoint(left + 3, top + 6).textContent"
    assert page.evaluate(top, before[:2]) == "run-07", "no column shines through"


def test_a_picture_of_media_is_kept_by_a_button_beside_its_name(page: "Page", store: Store, serve: Serve) -> None:
    for name in ("one", "two"):
        with store.start_run(name) as run:
            run.log_histogram("weights", np.arange(10.0), step=1)
    served = serve(store.root)
    for path, beside in (("/?tab=media", "h4"), (f"/run/{run.id}?tab=media", "h3")):
        open_page(page, served, path)
        page.locator("[data-media=weights] .main-svg").first.wait_for()
        head = page.locator(f"[data-media=weights] {beside}").first.evaluate(BOX)
        button = page.get_by_role("button", name="Download weights").first.evaluate(BOX)
        assert abs((head[1] + head[3]) - (button[1] + button[3])) / 2 < 5


def test_what_is_on_top_takes_one_line_of_a_phone(page: "Page", store: Store, serve: Serve) -> None:
    record(store, "one", {"acc": [0.1]})
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, serve(store.root))
    page.get_by_role("link", name="one").wait_for()
    assert page.locator("body > header").evaluate("node => node.offsetHeight") < 50
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_facts_and_numbers_of_the_machine_are_told_as_people_read_them(
    page: "Page", store: Store, serve: Serve
) -> None:
    run = record(store, "one", {"system/memory_bytes": [461_590_528.0], "loss": [461_590_528.0]})
    served = serve(store.root)
    open_page(page, served, f"/run/{run}")
    row = page.locator("section:has(h2:text-is('Metrics')) tr")
    assert (
        row.filter(has_text="memory_bytes").inner_text().split()
        == "system/memory_bytes 462 MB 0 462 MB 462 MB 1".split()
    )
    assert row.filter(has_text="loss").inner_text().split()[1] == "461590528"
    page.get_by_role("tab", name="Code").click()
    page.get_by_role("heading", name="Operating system").wait_for()
    assert re.fullmatch(r"[\d.]+ GB", page.locator("dt:text-is('memory_bytes') + dd").inner_text())
