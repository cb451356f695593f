"""Curves, scatter plots and parallel coordinates in a real browser."""

import re
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, data_of, dots, names, open_page, plot_of, query, until, wait_names, wait_plot
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_curves_have_the_colours_of_the_dots(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    plot_of(page, "val/acc")
    traces = data_of(page, "val/acc")
    assert len(traces) == 8
    assert dots(page) == [trace["color"] for trace in traces]
    assert [trace["name"] for trace in traces] == names(page)[:8]
    page.get_by_role("checkbox", name=f"Select {names(page)[9]}").check()
    wait_plot(page, "val/acc", "plot.data.length === 1")
    assert [trace["name"] for trace in data_of(page, "val/acc")] == [names(page)[9]]


def test_zooming_fetches_finer_points_and_a_peak_stays(page: "Page", real: Served) -> None:
    (run,) = Store(real.store).runs('name == "sweep-0.1-1"')
    open_page(page, real, f"/?{SWEEP}&sel={run.id}")
    card = plot_of(page, "loss")
    (whole,) = data_of(page, "loss")
    assert len(whole["x"]) <= 1002
    assert max(whole["y"]) > 5
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.65, box["y"] + 20, steps=4)
    page.mouse.up()
    wait_plot(page, "loss", "plot.data[0].x.length > 200 && plot.data[0].x.length < 500 && plot.data[0].x[0] > 1000")
    (part,) = data_of(page, "loss")
    assert part["x"] == list(range(int(part["x"][0]), int(part["x"][-1]) + 1))
    card.get_by_role("button", name="Show all of loss").click()
    wait_plot(page, "loss", "plot.data[0].x[0] === 0")


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        ("time", "date"),
        pytest.param("epoch", "linear", marks=pytest.mark.stress),
        pytest.param("relative", "linear", marks=pytest.mark.stress),
        ("metric:val/acc", "linear"),
    ],
)
def test_curves_lie_along_other_axes(page: "Page", real: Served, axis: str, kind: str) -> None:
    open_page(page, real, f"/?{SWEEP}")
    plot_of(page, "loss")
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("combobox", name="What lies along x").select_option(axis)
    told = "second" if axis == "relative" else axis.removeprefix("metric:")
    wait_plot(page, "loss", f"plot.layout.xaxis.type === '{kind}' && plot.layout.xaxis.title.text.includes('{told}')")
    assert len(data_of(page, "loss")[0]["x"]) > 100
    assert query(page)["x"] == [axis]


def test_hovering_compares_the_runs(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    card = plot_of(page, "val/acc")
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    until(page, "document.querySelectorAll('.hover > div').length === 8")
    assert page.locator(".hover .nearest").count() == 1
    values = [float(text) for text in page.locator(".hover .number").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    marks = "[...document.querySelectorAll('.card .mark:not(.hidden)')].map(mark => mark.closest('.card').dataset.key)"
    assert {"val/acc", "loss"} <= set(page.evaluate(marks)), "all charts show the same place"
    page.mouse.move(4, 4)
    page.locator(".hover.hidden").wait_for(state="attached")


def test_a_scatter_plot_is_linked_with_the_selection(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=scatter&sx=params.lr")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    box = page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=5)
    page.mouse.up()
    page.get_by_text("4 selected").wait_for()
    assert set(query(page)["sel"]) == {
        run.id for run in Store(real.store).runs('experiment == "sweep" and params.lr == 0.1')
    }


def test_parallel_coordinates_are_linked_with_the_selection(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=parallel&dims=params.lr&dims=params.model&dims=metrics.loss")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    ticks = page.locator(".js-plotly-plot .annotation-text").all_text_contents()
    assert {"0.1", "0.001", "mlp", "cnn"} <= set(ticks)
    box = page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 1, box["y"] + 1)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.2, steps=5)
    page.mouse.up()
    page.get_by_text("4 selected").wait_for()
    page.get_by_role("button", name="Add an axis").click()
    page.get_by_role("button", name="params.seed", exact=True).click()
    page.locator(".xaxislayer-above text", has_text="seed").wait_for()


def test_a_live_run_appears_and_its_curve_grows(page: "Page", store: Store, serve: Serve) -> None:
    served = serve(store.root)
    open_page(page, served)
    page.get_by_text("No runs yet").wait_for()
    with store.start_run("growing") as run:
        for step in range(5):
            run.log_metrics({"loss": 1.0 / (step + 1)}, step)
        wait_names(page, lambda found: found == ["growing"])
        page.locator(".status.running").wait_for()
        plot_of(page, "loss")
        run.log_metrics({"loss": 7.0}, 5)
        wait_plot(page, "loss", "plot.data[0].y.at(-1) === 7")
        run.log_metrics({"later": 1.0}, 0)
        plot_of(page, "later")
    page.locator(".status.finished").wait_for()


def test_a_scatter_plot_and_columns_follow_runs_that_come(page: "Page", store: Store, serve: Serve) -> None:
    served = serve(store.root)
    open_page(page, served, "/?tab=scatter&sx=params.lr&sy=metrics.acc")
    page.get_by_text("No runs yet").wait_for()
    for number in range(3):
        with store.start_run(params={"lr": number / 10}) as run:
            run.log_metrics({"acc": number / 10}, 0)
    page.locator(".js-plotly-plot .points .point").nth(2).wait_for()
    page.locator(".runs th", has_text="acc").wait_for()


def test_a_chart_recovers_from_an_answer_that_failed(page: "Page", store: Store, serve: Serve) -> None:
    failing = True

    def answer(route: "Route") -> None:
        if failing:
            route.fulfill(status=200, body="not JSON at all", content_type="text/plain")
        else:
            route.continue_()

    page.route(re.compile("/api/curves"), answer)
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        open_page(page, serve(store.root))
        page.locator(".card").get_by_text("the server's answer can't be read (200)").wait_for()
        failing = False
        run.log_metrics({"loss": 0.5}, 1)
        plot_of(page, "loss")
        page.locator(".card[data-key=loss] p.quiet.hidden").wait_for(state="attached")


def test_the_console_tells_where_the_page_is_at_fault(
    page: "Page", store_of_one: Store, serve: Serve, expected: list[str]
) -> None:
    expected.append("TypeError")
    page.route(re.compile("/api/metrics"), lambda route: route.fulfill(json={"runs": None}))  # what no server answers
    with page.expect_console_message(lambda said: said.type == "error" and "curves.js" in said.text):
        open_page(page, serve(store_of_one.root))
    page.get_by_role("status").get_by_text("null").wait_for()


def test_values_beyond_every_scale_break_no_chart(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("huge") as run:
        for step in range(20):
            run.log_metrics({"loss": 1e308 * (-1) ** step, "fine": float(step)}, step)
    open_page(page, serve(store.root), "/?smooth=0.5")
    plot_of(page, "fine")
    plot_of(page, "loss")
