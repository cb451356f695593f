"""Groups of runs in a real browser."""

import re
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from runlore.analysis.scope import left_out_text, well_ended
from runlore.analysis.statistics import summarise
from runlore.ui.report import View, report
from tests.ui.browsing import SWEEP, data_of, open_page, plot_of, query, wait_names, wait_plot
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


def test_groups_have_means_intervals_and_bands(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("button", name="Group by").click()
    page.get_by_role("checkbox", name=re.compile("params.lr ")).check()
    page.keyboard.press("Escape")
    row = page.locator(".groups tbody tr").first
    row.wait_for()
    assert re.fullmatch(r"\s*▸\s*0\.1\s+4\s+0\.98\d+ ± 0\.0\d+ \(0\.9999\d*\).*", row.inner_text(), re.S)
    plot_of(page, "val/acc")
    wait_plot(page, "val/acc", "plot.data.some(trace => trace.name === '0.1 (4)')")  # until then it shows the runs
    traces = [trace for trace in data_of(page, "val/acc") if trace["name"]]
    assert [trace["name"] for trace in traces] == ["0.1 (4)", "0.01 (4)", "0.001 (4)"]
    assert [trace["fill"] for trace in data_of(page, "val/acc")] == [None, "tonexty", None] * 3
    colours = page.eval_on_selector_all(
        ".groups tbody .dot", "dots => dots.map(dot => dot.style.getPropertyValue('--dot'))"
    )
    assert colours == [trace["color"] for trace in traces]
    page.get_by_role("button", name="Ungroup").click()
    wait_names(page, lambda found: len(found) == 12)


def test_bands_stay_until_the_curves_of_runs_are_there(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&group=params.lr")
    plot_of(page, "loss")
    held: list[Route] = []
    page.route(re.compile("/api/metrics"), lambda route: held.append(route))  # noqa: PLW0108
    page.get_by_role("button", name="Ungroup").click()
    wait_names(page, lambda found: len(found) == 12 and len(held) == 1)
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("checkbox", name="log y").check()
    wait_plot(page, "loss", "plot.layout.yaxis.type === 'log'")
    assert sum(trace["fill"] == "tonexty" for trace in data_of(page, "loss")) == 3
    held[0].continue_()
    wait_plot(page, "loss", "plot.data.length === 8")


def test_bands_show_what_is_chosen(page: "Page", store: Store, serve: Serve, tmp_path: Path) -> None:
    for value in (1.0, 2.0, 6.0):
        with store.start_run(params={"lr": 0.1}) as run:
            run.log_metrics({"acc": value}, 0)
            run.log_metrics({"acc": value}, 1)
    open_page(page, serve(store.root), "/?group=params.lr")
    deviation = statistics.stdev([1.0, 2.0, 6.0])
    interval = (summarise([1.0, 2.0, 6.0])[2] or (0.0, 0.0))[1] - 3.0
    expected = {
        "standard deviation": (3 - deviation, 3 + deviation, 3.0, "± 2.6"),
        "95 % interval": (3 - interval, 3 + interval, 3.0, "± 6.6"),
        "standard error": (3 - deviation / 3**0.5, 3 + deviation / 3**0.5, 3.0, "± 1.5"),
        "lowest to highest": (1.0, 6.0, 2.0, "(1 … 6)"),
    }
    choice = page.get_by_role("combobox", name="What bands show")
    choice.wait_for()
    for words, (low, high, middle, told) in expected.items():
        choice.select_option(label=next(line for line in choice.locator("option").all_inner_texts() if words in line))
        card = plot_of(page, "acc")
        wait_plot(page, "acc", f"Math.abs(plot.data[0].y[0] - {low}) < 1e-9")
        assert [trace["y"][0] for trace in data_of(page, "acc")] == pytest.approx([low, high, middle])
        box = card.locator(".nsewdrag").bounding_box()
        assert box
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 5)
        page.mouse.move(box["x"] + box["width"] / 2 + 3, box["y"] + 5)
        assert page.locator(".hover .number").inner_text().endswith(told)
        page.mouse.move(4, 4)
    assert query(page)["band"] == ["range"]
    address = page.evaluate("location.pathname + location.search")
    page.reload()
    wait_plot(page, "acc", "plot.data[0].y[0] === 1")
    (tmp_path / "view.html").write_text(report(store, View.at(address)).text)
    page.goto((tmp_path / "view.html").as_uri())
    wait_plot(page, "acc", "plot.data[0].y[0] === 1")


def test_no_more_fields_group_than_the_server_takes(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&group=params.lr&group=params.seed&group=params.model&group=status")
    page.locator(".groups tbody tr").nth(11).wait_for()
    page.get_by_role("button", name="Group by").click()
    page.get_by_role("checkbox", name=re.compile("experiment")).click()
    page.get_by_text("At most 4 can be chosen").wait_for()
    assert not page.get_by_role("checkbox", name=re.compile("experiment")).is_checked()
    assert len(query(page)["group"]) == 4


def test_groups_stay_true_to_their_colours_while_runs_come(page: "Page", store: Store, serve: Serve) -> None:
    def add(lr: float, acc: float) -> None:
        with store.start_run(params={"lr": lr}) as run:
            for step in range(3):
                run.log_metrics({"acc": acc + step / 100}, step)

    add(0.1, 0.5)
    add(0.2, 0.4)
    open_page(page, serve(store.root), "/?group=params.lr")
    plot_of(page, "acc")
    add(0.3, 0.9)
    wait_plot(page, "acc", "plot.data.filter(trace => trace.name).length === 3")
    cells = "row => [row.cells[1].textContent, row.querySelector('.dot').style.getPropertyValue('--dot')]"
    table = page.eval_on_selector_all(".groups tbody tr", f"rows => rows.map({cells})")
    chart = [[str(item["name"]).partition(" ")[0], item["color"]] for item in data_of(page, "acc") if item["name"]]
    assert sorted(table) == sorted(chart)
    assert table[0][0] == "0.3"


def test_groups_count_runs_that_finished_and_name_the_others(page: "Page", store: Store, serve: Serve) -> None:
    for number, status in enumerate(("finished", "finished", "failed")):
        run = store.start_run(f"run-{number}", params={"lr": 0.1})
        run.log_metrics({"acc": float(number)}, 0)
        run.log_metrics({"acc": float(number)}, 1)
        run.finish("failed" if status == "failed" else "finished")
    served = serve(store.root)
    open_page(page, served, "/?group=params.lr")
    told = page.locator(".left-out")
    told.wait_for()
    assert told.inner_text() == left_out_text(well_ended(store, "", "")[1])
    row = page.locator(".groups tbody tr")
    assert row.locator("td").all_inner_texts()[1:3] == ["0.1", "2"]
    plot_of(page, "acc")
    wait_plot(page, "acc", "plot.data.some(trace => trace.name === '0.1 (2)')")
    told.get_by_role("link", name="run-2").click()
    page.get_by_role("heading", name="run-2").wait_for()
    for address in ("/?group=params.lr&q=status+!=+%22running%22", "/?group=status"):
        open_page(page, served, address)
        row.first.wait_for()
        assert sum(int(cells) for cells in page.locator(".groups tbody td:nth-child(3)").all_inner_texts()) == 3
        assert told.count() == 0
