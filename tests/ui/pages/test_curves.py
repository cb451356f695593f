"""What is done with charts of curves in a real browser: zoom, hide, pin, find, keep."""

import csv
import io
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, data_of, dots, names, open_page, plot_of, query, until, wait_names, wait_plot
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page


@pytest.fixture
def elsewhere(browser: "Browser") -> "Iterator[Page]":
    """A page in New York."""
    context = browser.new_context(timezone_id="America/New_York", viewport={"width": 1440, "height": 860})
    yield context.new_page()
    context.close()


def drag(page: "Page", card: "Locator", begin: float, end: float) -> None:
    """Zoom along x from one part of the width to another."""
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * begin, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * end, box["y"] + 20, steps=4)
    page.mouse.up()


def series(store: Store, name: str, **values: list[float]) -> None:
    with store.start_run(name) as run:
        for key, points in values.items():
            for step, value in enumerate(points):
                run.log_metrics({key.replace("__", "/"): value}, step)


def test_a_zoom_in_wall_time_stays_where_it_was_made(elsewhere: "Page", real: Served) -> None:
    page = elsewhere
    (run,) = Store(real.store).runs('name == "sweep-0.1-1"')
    open_page(page, real, f"/?{SWEEP}&sel={run.id}&x=time")
    card = plot_of(page, "loss")
    clock = page.evaluate("seconds => new Date(seconds * 1000).getHours()", run.started.timestamp())
    wait_plot(page, "loss", "plot.data[0].x.length > 100")
    hours = page.evaluate("document.querySelector(`.card[data-key='loss'] .plot`).data[0].x[0].slice(11, 13)")
    assert int(hours) == clock, "Plotly knows no time zones: it is given the clock's text"
    drag(page, card, 0.4, 0.6)
    wait_plot(page, "loss", "plot.data[0].x.length > 100 && plot.data[0].x.length < 900")
    plot = "document.querySelector(`.card[data-key='loss'] .plot`)"
    low, high = page.evaluate(f"{plot}.layout.xaxis.range")
    assert page.evaluate(f"{plot}.data[0].x[1]") >= low
    assert page.evaluate(f"{plot}.data[0].x.at(-2)") <= high


def test_a_zoom_stays_where_y_becomes_logarithmic(page: "Page", real: Served) -> None:
    (run,) = Store(real.store).runs('name == "sweep-0.1-1"')
    open_page(page, real, f"/?{SWEEP}&sel={run.id}")
    card = plot_of(page, "loss")
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + box["height"] * 0.9, steps=4)
    page.mouse.up()
    card.get_by_role("button", name="Show all of loss").wait_for()
    before = page.evaluate("document.querySelector(`.card[data-key='loss'] .plot`).layout.yaxis.range")
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("checkbox", name="log y").check()
    wait_plot(page, "loss", "plot.layout.yaxis.type === 'log'")
    after = page.evaluate("document.querySelector(`.card[data-key='loss'] .plot`).layout.yaxis.range")
    assert 10 ** after[1] == pytest.approx(before[1])
    if before[0] > 0:
        assert 10 ** after[0] == pytest.approx(before[0])
    page.get_by_role("checkbox", name="log y").uncheck()
    wait_plot(page, "loss", "plot.layout.yaxis.type === 'linear'")
    back = page.evaluate("document.querySelector(`.card[data-key='loss'] .plot`).layout.yaxis.range")
    assert back == pytest.approx(before)


def test_a_run_keeps_its_colour_whatever_else_is_selected(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    shown = wait_names(page, lambda found: len(found) == 12)
    for name in shown[:3]:
        page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    until(page, "document.querySelectorAll('.legend .entry').length === 3")
    before = dots(page)
    page.get_by_role("checkbox", name=f"Select {shown[0]}", exact=True).uncheck()
    until(page, "document.querySelectorAll('.legend .entry').length === 2")
    assert dots(page) == before[1:]
    wait_plot(page, "val/acc", "plot.data.length === 2")
    assert [trace["color"] for trace in data_of(page, "val/acc")] == before[1:]


def test_the_legend_hides_runs_and_shows_one_alone(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    plot_of(page, "val/acc")
    entries = page.locator(".legend button[aria-pressed]")
    assert entries.count() == 8
    entries.nth(2).click()
    wait_plot(page, "val/acc", "plot.data.length === 7")
    entries.nth(2).click()
    wait_plot(page, "val/acc", "plot.data.length === 8")
    entries.nth(4).dblclick()
    wait_plot(page, "val/acc", "plot.data.length === 1")
    assert [trace["name"] for trace in data_of(page, "val/acc")] == [entries.nth(4).inner_text()]


def test_an_eye_takes_a_run_out_of_the_charts_and_not_out_of_the_table(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    eye = page.get_by_role("button", name="Hide sweep-0.1-3 in the charts")
    plot_of(page, "val/acc")
    wait_plot(page, "val/acc", "plot.data.length === 8")
    assert page.locator("button.eye").count() == 8  # of the runs that the charts show
    eye.click()
    wait_plot(page, "val/acc", "plot.data.length === 7")
    assert eye.get_attribute("aria-pressed") == "true"
    assert len(names(page)) == 12
    page.reload()  # the address has it
    plot_of(page, "val/acc")
    wait_plot(page, "val/acc", "plot.data.length === 7")
    assert page.locator(".legend [aria-pressed=false]").all_inner_texts() == ["sweep-0.1-3"]
    page.locator(".legend button", has_text="sweep-0.1-2").click()  # the names above the charts do the same
    wait_plot(page, "val/acc", "plot.data.length === 6")
    assert page.locator("button.eye[aria-pressed=true]").count() == 2
    eye.press("Enter")
    wait_plot(page, "val/acc", "plot.data.length === 7")
    assert eye.evaluate("button => button === document.activeElement")
    assert len(query(page)["hide"]) == 1


def test_metrics_stand_in_sections_in_their_natural_order(page: "Page", store: Store, serve: Serve) -> None:
    keys = {f"layer__{number}": [1.0, 2.0] for number in (10, 9, 2, 1, 0)}
    series(store, "one", loss=[2.0, 1.0], **keys)
    open_page(page, serve(store.root))
    plot_of(page, "loss")
    section = page.locator("details[data-section=layer]")
    shown = section.locator(".card").evaluate_all("cards => cards.map(card => card.dataset.key)")
    assert shown == [f"layer/{number}" for number in (0, 1, 2, 9, 10)]
    section.get_by_role("button", name="Keep layer/9 on top").click()
    page.locator("[data-section=top] .card[data-key='layer/9']").wait_for()
    assert query(page)["top"] == ["layer/9"]
    assert page.locator(".card").first.get_attribute("data-key") == "layer/9"
    box = page.get_by_role("searchbox", name="Find a metric")
    for text, found in (("lay 1", 2), ("layer/*0", 2), ("/^layer.[29]$/", 2), ("/(/", 0)):
        box.fill(text)
        until(page, f"document.querySelectorAll('.card').length === {found}")
    page.get_by_text("No metric fits that.").wait_for()


def test_a_chart_on_top_moves_forward(page: "Page", store: Store, serve: Serve) -> None:
    series(store, "one", **{key: [2.0, 1.0] for key in ("a", "b", "c", "d")})
    open_page(page, serve(store.root), "/?top=a&top=gone&top=b&top=c")
    plot_of(page, "c")
    on_top = "[...document.querySelectorAll('[data-section=top] .card')].map(card => card.dataset.key)"
    assert page.evaluate(on_top) == ["a", "b", "c"]
    forward = page.get_by_role("button", name=re.compile("Move . forward"))
    assert forward.evaluate_all("buttons => buttons.map(button => button.ariaLabel)") == [
        "Move b forward",
        "Move c forward",
    ]
    page.get_by_role("button", name="Move c forward").click()
    assert page.evaluate(on_top) == ["a", "c", "b"]
    page.keyboard.press("Enter")
    assert page.evaluate(on_top) == ["c", "a", "b"], "the keyboard stays where it was"
    assert query(page)["top"] == ["c", "a", "gone", "b"]
    assert page.evaluate("document.activeElement.ariaLabel") == "Keep c on top"
    page.reload()
    plot_of(page, "c")
    assert page.evaluate(on_top) == ["c", "a", "b"]
    page.get_by_role("button", name="Keep c on top").click()
    until(page, f"JSON.stringify({on_top}) === JSON.stringify(['a', 'b'])")
    assert not page.get_by_role("button", name="Move a forward").is_visible()


def test_charts_are_kept_as_csv_png_and_svg(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    card = plot_of(page, "val/acc")

    def kept(name: str) -> bytes:
        card.get_by_role("button", name="Download val/acc").click()
        with page.expect_download() as waiting:
            page.get_by_role("dialog").get_by_role("button", name=name).click()
        assert waiting.value.suggested_filename == f"val_acc.{name.lower()}"
        return waiting.value.path().read_bytes()

    rows = list(csv.DictReader(io.StringIO(kept("CSV").decode())))
    (run,) = Store(real.store).runs('name == "sweep-0.1-3"')
    own = [(int(row["step"]), float(row["val/acc"])) for row in rows if row["run"] == run.id]
    points = run.metrics["val/acc"]
    assert own == list(zip(points.steps.tolist(), points.values.tolist(), strict=True))
    assert kept("PNG").startswith(b"\x89PNG")
    assert b"<svg" in kept("SVG")


def test_nan_is_marked_and_told(page: "Page", store: Store, serve: Serve) -> None:
    series(store, "diverged", loss=[1.0, 2.0, math.nan, math.nan])
    series(store, "never", loss=[math.nan, math.nan])
    open_page(page, serve(store.root), "/?cols=metrics.loss")
    wait_names(page, lambda found: len(found) == 2)
    assert page.locator(".runs tbody td.number", has_text="NaN").count() == 2
    plot_of(page, "loss")
    marks = [trace for trace in data_of(page, "loss") if len(trace["x"]) == 1]
    assert sorted((trace["x"][0], trace["y"][0]) for trace in marks) == [(0, 0), (2, 2)]


def test_outliers_flatten_no_chart_where_they_are_ignored(page: "Page", store: Store, serve: Serve) -> None:
    series(store, "spiky", loss=[1.0 / (step + 1) if step != 50 else 4e13 for step in range(200)])
    open_page(page, serve(store.root))
    plot_of(page, "loss")
    ticks = page.locator(".card[data-key=loss] .ytick text").all_text_contents()
    assert any("e+13" in text for text in ticks), ticks
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("checkbox", name="ignore outliers").check()
    wait_plot(page, "loss", "plot.layout.yaxis.range?.[1] < 2")


def test_smoothing_starts_at_the_first_point_also_within_a_zoom(page: "Page", real: Served) -> None:
    (run,) = Store(real.store).runs('name == "sweep-0.1-1"')
    open_page(page, real, f"/?{SWEEP}&sel={run.id}&smooth=0.99")
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 2")
    whole = dict(zip(data_of(page, "loss")[1]["x"], data_of(page, "loss")[1]["y"], strict=True))
    drag(page, card, 0.55, 0.65)
    wait_plot(page, "loss", "plot.data[1].x[0] > 1000")
    part = dict(zip(data_of(page, "loss")[1]["x"], data_of(page, "loss")[1]["y"], strict=True))
    both = whole.keys() & part.keys()
    assert len(both) > 10
    assert all(whole[step] == pytest.approx(part[step]) for step in both)
