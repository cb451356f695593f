"""Several metrics in one chart, in a real browser."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from runlore.ui.report import View, report
from tests.ui.browsing import SWEEP, data_of, open_page, plot_of, query, until, wait_plot
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

JOIN = "Other metrics in the chart of loss"
DASHES = "document.querySelector(`.card[data-key='loss'] .plot`).data.map(trace => trace.line.dash)"


@pytest.fixture
def two(real: Served) -> str:
    """What selects the first two runs of the sweep in an address."""
    return "".join(f"&sel={run.id}" for run in Store(real.store).runs('experiment == "sweep"', limit=2))


def test_metrics_are_joined_in_one_chart_and_stay_in_the_address(page: "Page", real: Served, two: str) -> None:
    open_page(page, real, f"/?{SWEEP}{two}")
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 2")
    card.get_by_role("button", name=JOIN).click()
    page.get_by_role("dialog").get_by_role("checkbox", name="val/loss").check()
    page.keyboard.press("Escape")
    wait_plot(page, "loss", "plot.data.length === 4")
    traces = data_of(page, "loss")
    assert [len(trace["x"]) > 900 for trace in traces] == [True, True, False, False]
    assert [traces[0]["color"], traces[1]["color"]] == [traces[2]["color"], traces[3]["color"]]
    assert page.evaluate(DASHES) == ["solid", "solid", "dash", "dash"]
    assert card.get_by_role("heading").inner_text().split() == ["loss", "val/loss"]
    assert len(set(page.eval_on_selector_all(".card", "all => all.map(card => card.offsetHeight)"))) == 1
    assert [json.loads(item) for item in query(page)["with"]] == [["loss", "val/loss"]]
    page.reload()
    plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 4")
    card.get_by_role("button", name=JOIN).click()
    page.get_by_role("dialog").get_by_role("checkbox", name="val/loss").uncheck()
    wait_plot(page, "loss", "plot.data.length === 2")
    assert "with" not in query(page)


def test_what_is_pointed_at_in_a_joined_chart_names_metric_and_run(page: "Page", real: Served, two: str) -> None:
    open_page(page, real, f'/?{SWEEP}{two}&with=["loss","val/loss"]')
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 4")
    box = card.locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + box["height"] / 2)
    until(page, "document.querySelectorAll('.hover > div').length === 4")
    values = [float(text) for text in page.locator(".hover .number").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert sorted(page.locator(".hover .metric").all_inner_texts()) == ["loss", "loss", "val/loss", "val/loss"]


def test_a_joined_chart_is_kept_as_csv_with_its_metrics(page: "Page", real: Served, two: str) -> None:
    open_page(page, real, f'/?{SWEEP}{two}&with=["loss","val/loss"]')
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 4")
    with page.expect_download() as waiting:
        card.get_by_role("button", name="Download loss").click()
        page.get_by_role("button", name="CSV").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_bytes().decode())))
    assert list(rows[0]) == ["run", "name", "metric", "step", "value"]
    run = Store(real.store).run(rows[0]["run"])
    kept = [float(row["value"]) for row in rows if (row["run"], row["metric"]) == (run.id, "val/loss")]
    assert kept == run.metrics["val/loss"].values.tolist()


def test_bands_of_several_metrics_lie_in_one_chart(page: "Page", real: Served) -> None:
    shown = "cols=metrics.loss&cols=metrics%5B%22val%2Floss%22%5D"
    open_page(page, real, f'/?{SWEEP}&group=params.lr&{shown}&with=["loss","val/loss","gone",3]')
    plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.filter(trace => trace.name).length === 6")
    assert page.evaluate(DASHES)[2::3] == ["solid"] * 3 + ["dash"] * 3


def test_a_page_that_is_sent_shows_metrics_in_one_chart(page: "Page", real: Served, two: str, tmp_path: Path) -> None:
    view = View.at(f'/?{SWEEP}{two}&with=["loss","val/loss"]')
    (tmp_path / "view.html").write_text(report(Store(real.store), view).text)
    page.goto((tmp_path / "view.html").as_uri())
    plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.length === 4")


def test_metrics_are_joined_whatever_they_are_called(page: "Page", store: Store, serve: Serve, tmp_path: Path) -> None:
    names = ["__proto__", "constructor"]  # each object of JavaScript has something under these
    with store.start_run("odd") as run:
        for step in range(3):
            run.log_metrics(dict.fromkeys([*names, "loss"], float(step)), step)
    open_page(page, serve(store.root))
    for name in names:
        plot_of(page, name).get_by_role("button", name=f"Other metrics in the chart of {name}").click()
        page.get_by_role("dialog").get_by_role("checkbox", name="loss").check()
        page.keyboard.press("Escape")
        wait_plot(page, name, "plot.data.length === 2")
    assert [json.loads(item) for item in query(page)["with"]] == [[name, "loss"] for name in names]
    address = page.evaluate("location.pathname + location.search")
    (tmp_path / "view.html").write_text(report(store, View.at(address)).text)
    page.goto((tmp_path / "view.html").as_uri())
    for name in names:
        plot_of(page, name)
        wait_plot(page, name, "plot.data.length === 2")
