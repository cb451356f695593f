"""What a sweep tells, in a real browser: filters on axes, heat maps, box plots, importance, groups over seeds."""

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from runlore import Store
from tests.ui.browsing import SWEEP, drag, names, open_page, query, until, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

PLOT = "document.querySelector('.big')"
PARALLEL = f"/?{SWEEP}&tab=parallel&dims=params.lr&dims=params.model&dims=metrics.loss"


def ids(served: Served, where: str) -> set[str]:
    return {run.id for run in Store(served.store).runs(f'experiment == "sweep" and {where}')}


def sweep(store: Store, count: int) -> None:
    for number in range(count):
        with store.start_run(f"run-{number}", params={"lr": 1.1**-number, "depth": number % 2}) as run:
            run.log_metrics({"acc": float(number)} if number % 5 else {"acc": float(number), "rare": 1.0}, 0)


def test_filters_on_axes_combine_and_stay_in_the_address(page: "Page", real: Served) -> None:
    open_page(page, real, PARALLEL)
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    drag(page, ".js-plotly-plot .nsewdrag", (0.01, 0.01), (0.1, 0.6))
    page.get_by_text("8 runs pass the filters").wait_for()
    assert set(query(page)["sel"]) == ids(real, "params.lr >= 0.01")
    page.get_by_role("button", name="Filter by params.model").click()
    page.get_by_role("checkbox", name="cnn").uncheck()
    page.get_by_text("4 runs pass the filters").wait_for()
    wanted = ids(real, "params.lr >= 0.01 and params.model == 'mlp'")
    assert set(query(page)["sel"]) == wanted
    assert [json.loads(item)[0] for item in query(page)["brush"]] == ["params.lr", "params.model"]
    page.reload()
    page.get_by_text("4 runs pass the filters").wait_for()
    until(page, f"{PLOT}.layout?.shapes?.filter(shape => shape.type === 'rect').length === 2")
    page.get_by_role("button", name="Filter by params.lr").click()
    page.get_by_role("textbox", name="from").fill("0.05")
    page.keyboard.press("Tab")
    page.get_by_text("2 runs pass the filters").wait_for()
    page.get_by_role("button", name="All values").click()
    page.get_by_text("6 runs pass the filters").wait_for()
    page.keyboard.press("Escape")
    page.mouse.dblclick(*middle(page))
    until(page, "!location.search.includes('brush')")


def middle(page: "Page") -> tuple[float, float]:
    box = page.locator(".js-plotly-plot .nsewdrag").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_filter_that_somebody_mistyped_in_the_address_does_no_harm(page: "Page", real: Served) -> None:
    odd = "&".join(f"brush={quote(text)}" for text in ("[", "7", "[7,8]", '["params.none", 1, 2]', "null"))
    open_page(page, real, f"{PARALLEL}&{odd}")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    page.get_by_text("12 runs have all of these. Drag").wait_for()


def test_lines_and_dots_are_coloured_by_any_field(page: "Page", real: Served) -> None:
    open_page(page, real, f"{PARALLEL}&pc=tags.team")
    page.locator(".legend", has_text="vision").wait_for()
    page.get_by_role("button", name="colour: ").click()
    page.get_by_role("button", name="params.lr", exact=True).click()
    until(page, f"{PLOT}.data?.at(-1).marker?.colorbar?.title.text === 'lr'")
    shades = page.evaluate(
        f"[...new Set({PLOT}.data.filter(trace => trace.mode !== 'markers').map(t => t.line.color))]"
    )
    assert len(shades) == 3
    open_page(page, real, f"/?{SWEEP}&tab=scatter&sx=params.lr&sc=status")
    page.locator(".legend", has_text="finished").wait_for()


def test_a_heat_map_shows_medians_and_says_what_is_empty(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=heatmap&hx=params.model&hy=params.seed&hm=params.none")
    page.get_by_text("4 of 8 cells are empty").wait_for()
    page.get_by_role("button", name="y: ").click()
    page.get_by_role("button", name="params.lr", exact=True).click()
    until(page, f"{PLOT}?.data?.[0].z?.flat().every(value => value !== null)")
    accuracies = sorted(
        run.metrics["val/acc"].last or 0
        for run in Store(real.store).runs('experiment == "sweep" and params.lr == 0.1 and params.model == "cnn"')
    )
    assert page.evaluate(f"{PLOT}.layout.xaxis.ticktext") == ["cnn", "mlp"]
    assert page.evaluate(f"{PLOT}.layout.yaxis.ticktext") == ["0.001", "0.01", "0.1"]
    assert page.evaluate(f"{PLOT}.data[0].z[2][0]") == sum(accuracies) / 2
    assert "of 2 runs" in page.evaluate(f"{PLOT}.data[0].customdata[2][0]")
    page.get_by_text("As a table").click()
    assert page.locator(".as-table tbody tr").first.inner_text().startswith("0.1")
    page.mouse.click(*[place + 4 for place in middle(page)])
    page.get_by_text("2 selected").wait_for()


def test_many_values_of_a_number_are_intervals(page: "Page", store: Store, serve: Serve) -> None:
    sweep(store, 45)
    open_page(page, serve(store.root), "/?tab=heatmap&hx=params.lr&hy=params.depth&hm=metrics.acc")
    page.get_by_text("45 runs have all three").wait_for()
    until(page, f"{PLOT}?.data?.[0].z[0].length === 8")
    assert page.evaluate(f"{PLOT}.layout.xaxis.ticktext[7]").endswith("– 1")
    open_page(page, serve(store.root), "/?tab=boxes&bx=params.lr&bm=metrics.acc")
    until(page, f"{PLOT}?.data?.filter(trace => trace.type === 'box').length === 8")


def test_a_box_plot_shows_each_run_and_how_many_there_are(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=boxes&bx=params.model&bm=metrics.loss")
    page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    assert page.evaluate(f"{PLOT}.layout.xaxis.ticktext") == ["cnn<br>n = 6", "mlp<br>n = 6"]
    assert page.evaluate(f"{PLOT}.data.map(trace => trace.type)") == ["box", "box", "scatter"]
    drag(page, ".js-plotly-plot .nsewdrag", (0.01, 0.01), (0.5, 0.99))
    page.get_by_text("6 selected").wait_for()
    assert set(query(page)["sel"]) == ids(real, "params.model == 'cnn'")
    page.get_by_role("button", name="by: ").click()
    page.get_by_role("button", name="params.lr", exact=True).click()
    until(page, f"{PLOT}.data?.every(trace => trace.type === 'scatter')")  # of four runs only the median


def test_importance_is_told_with_its_limits(page: "Page", store: Store, real: Served, serve: Serve) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=importance")
    page.get_by_text("of the order of runs that it has not seen. So few runs").wait_for()
    assert page.locator(".importance tbody th").first.inner_text() == "lr"
    assert "+0.95" in page.locator(".importance tbody tr").first.inner_text()
    sweep(store, 6)
    served = serve(store.root)
    open_page(page, served, "/?tab=importance&im=metrics.acc")
    page.get_by_text("6 runs; no importance: too few runs to tell importance from chance").wait_for()
    assert "−1.00" in page.locator(".importance tbody tr").first.inner_text()
    sweep(store, 1)
    page.get_by_role("button", name="Compute again").click()
    page.get_by_text("7 runs; no importance").wait_for()


def test_groups_expand_and_are_compared_over_seeds(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&group=params.lr")
    page.locator(".groups tbody tr").nth(2).wait_for()
    page.get_by_role("button", name="Runs of 0.1", exact=True).click()
    page.locator(".groups .member").nth(3).wait_for()
    shown = page.locator(".groups .member a").all_inner_texts()
    assert sorted(shown) == [f"sweep-0.1-{seed}" for seed in range(4)]
    page.get_by_role("button", name="Runs of 0.1", exact=True).click()
    assert page.locator(".groups .member").count() == 0
    page.get_by_role("button", name="Over …").click()
    page.get_by_role("checkbox", name="params.seed 12").check()
    page.locator(".tests", has_text="val/acc, paired over 4: 0.01 − 0.1 = -0.18").wait_for()
    page.locator(".tests", has_text="Runs of one group differ in params.model, too.").wait_for()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Runs of 0.01", exact=True).click()
    page.locator(".groups .member", has_text="sweep-0.01-2 seed 2").click()
    page.locator(".groups .member a", has_text="sweep-0.01-2").click()
    page.get_by_role("heading", name="sweep-0.01-2").wait_for()
    page.go_back()
    page.locator(".tests").wait_for()
    page.get_by_role("button", name="Ungroup").click()
    wait_names(page, lambda found: len(found) == 12)
    assert len(names(page)) == 12
