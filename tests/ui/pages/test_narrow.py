"""Long names, and narrow windows: what tells runs apart, and what is measured, stays in sight."""

from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import open_page, plot_of, until, wait_plot
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page, ViewportSize

LONG = "resnet50-imagenet21k-pretrain-cosine-warmup-seed-{}-gpu-a100-8x"
PHONE: "ViewportSize" = {"width": 390, "height": 844}
BEYOND = """selector => [...document.querySelectorAll(selector)].filter(node => {
    const { left, right } = node.getBoundingClientRect();
    return right > innerWidth + 0.5 || left < 0;
}).map(node => node.textContent)"""
SHORT = """([names, most]) => import('/static/format.js').then(
    ({ shortened }) => names.map(name => shortened(names, most).get(name)))"""
TITLES = """[...document.querySelectorAll('.big .xtick text')].map(
    text => [text.textContent, /rotate\\((?!0,)/.test(text.getAttribute('transform'))])"""


@pytest.fixture
def alike(store: Store) -> Store:
    """Three runs whose names differ in what comes after their first forty letters."""
    for seed in (1, 12, 13):
        params = {
            "learning_rate": 10.0**-seed,
            "augmentation.randaugment.magnitude": seed,
            "weight_decay_of_layers": seed,
        }
        with store.start_run(
            LONG.format(seed), params=params, tags={"model": "facebook/convnextv2-base-22k-384"}
        ) as run:
            for step in range(0, 9000, 1000):
                run.log_metrics({"val/acc": (step + seed) / 9999, "loss": 1 / (step + seed)}, step)
    return store


CUT = [
    (["short", "other"], ["short", "other"]),
    ([LONG.format(3), LONG.format(14)], ["resnet50-im…3-gpu-a100-8x", "resnet50-i…14-gpu-a100-8x"]),
    (["a" * 30], ["a" * 30]),
    (["begin-" + "x" * 40 + end for end in "ab"], ["begin-xxxx…xxxxxxxxxxxxxa", "begin-xxxx…xxxxxxxxxxxxxb"]),
    (["same-begin-of-a-name-1", "same-begin-of-a-name-10"], ["same-begin-of-a-name-1", "same-begin-of-a-name-10"]),
]


def test_names_are_cut_where_they_are_the_same(page: "Page", store_of_one: Store, serve: Serve) -> None:
    open_page(page, serve(store_of_one.root))
    for names, shown in CUT:
        assert page.evaluate(SHORT, [names, 25]) == shown


def test_runs_whose_names_begin_alike_are_told_apart(page: "Page", alike: Store, serve: Serve) -> None:
    open_page(page, serve(alike.root))
    link = page.get_by_role("link", name=LONG.format(12), exact=True)
    assert "12-gpu" in link.inner_text()
    widths = link.evaluate("link => [link.closest('td').scrollWidth, link.closest('td').clientWidth]")
    assert widths[0] <= widths[1]
    assert sorted(text.split("…")[1][:3] for text in page.locator(".legend .entry").all_inner_texts()) == [
        "1-g",
        "12-",
        "13-",
    ]
    assert page.locator(".legend .pick").first.evaluate("button => button.offsetWidth") >= 20
    box = plot_of(page, "loss").locator(".nsewdrag").bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.move(box["x"] + 53, box["y"] + 50)
    until(page, "document.querySelectorAll('.hover > div').length === 3")
    assert len(set(page.locator(".hover .who").all_inner_texts())) == 3
    page.locator(".runs .grip").first.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    until(page, f"document.querySelector('.runs tbody a').textContent === '{LONG.format(13)}'")


def test_the_axes_of_charts_write_steps_and_titles_in_full(page: "Page", alike: Store, serve: Serve) -> None:
    served = serve(alike.root)
    open_page(page, served)
    ticks = plot_of(page, "loss").locator(".xtick text")
    assert {"2,000", "4,000"} <= set(ticks.all_text_contents())
    axes = "&".join(f"dims=params.{name}" for name in ("learning_rate", "weight_decay_of_layers"))
    open_page(page, served, f"/?tab=parallel&{axes}&dims=params.augmentation.randaugment.magnitude&dims=metrics.loss")
    until(page, f"{TITLES}.length === 4")
    assert [tilted for _, tilted in page.evaluate(TITLES)] == [False] * 4


def test_on_a_phone_a_metric_stands_beside_the_name(page: "Page", alike: Store, serve: Serve) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, serve(alike.root))
    row = page.locator(".runs tbody tr[data-run]").first
    row.locator("td.number").first.wait_for()
    number = row.locator("td.number").first.bounding_box()
    assert number
    assert number["x"] + number["width"] <= 390
    assert row.locator("td:nth-child(3)").get_attribute("title") == "finished"
    page.set_viewport_size({"width": 1024, "height": 844})
    until(page, "document.querySelector('.runs thead th:nth-child(3)').textContent === 'status'")


def test_on_a_phone_compared_runs_stand_beside_each_other(page: "Page", alike: Store, serve: Serve) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, serve(alike.root), "/compare?" + "&".join(f"runs={run.id}" for run in alike.runs()))
    page.locator(".sides tbody tr").nth(3).wait_for()
    assert page.evaluate(BEYOND, ".sides :is(td, th), .compared :is(td, th)") == []
    assert (
        len(
            {
                text.split("\n")[0]
                for text in page.locator(".sides").first.locator("thead th:not(:first-child)").all_inner_texts()
            }
        )
        == 3
    )


def test_a_run_is_taken_out_of_a_comparison(page: "Page", alike: Store, serve: Serve) -> None:
    open_page(page, serve(alike.root), "/compare?" + "&".join(f"runs={run.id}" for run in alike.runs()))
    page.get_by_role("button", name=f"Take {LONG.format(12)} out").click()
    until(page, "document.querySelectorAll('.compared tbody tr').length === 2")
    assert page.get_by_role("button", name="out").count() == 0
    page.go_back()
    until(page, "document.querySelectorAll('.compared tbody tr').length === 3")


@pytest.mark.parametrize("width", [390, 1440])
def test_what_is_done_with_a_run_stands_in_one_line(page: "Page", alike: Store, serve: Serve, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    open_page(page, serve(alike.root), f"/run/{alike.runs()[0].id}")
    boxes = [page.get_by_role("button", name=name, exact=True).bounding_box() for name in ("Pin", "Archive", "Remove")]
    assert len({box and box["y"] for box in boxes}) == 1


def test_the_long_value_of_a_group_ends_with_dots(page: "Page", alike: Store, serve: Serve) -> None:
    page.set_viewport_size({"width": 1024, "height": 844})
    open_page(page, serve(alike.root), "/?group=tags.model")
    cut = "button => [button.scrollWidth > button.clientWidth, button.offsetWidth < button.closest('td').offsetWidth]"
    assert page.locator(".groups .link").evaluate(cut)[1]


def test_somebody_says_where_the_axis_of_a_chart_ends(page: "Page", alike: Store, serve: Serve) -> None:
    served = serve(alike.root)
    open_page(page, served)
    card = plot_of(page, "val/acc")
    reach = "plot._fullLayout.yaxis.range.map(Number).map(end => Number(end.toFixed(6))).join()"
    for ends, shown in ((("0", "2"), "0,2"), (("-1", "0,5"), "-1,0.5")):
        card.get_by_role("button", name="Other metrics in the chart of val/acc").click()
        for name, end in zip(("y from", "y to"), ends, strict=True):
            page.get_by_role("textbox", name=name).fill(end)
        page.keyboard.press("Enter")
        wait_plot(page, "val/acc", f"{reach} === '{shown}'")
    page.reload()
    plot_of(page, "val/acc")
    wait_plot(page, "val/acc", f"{reach} === '-1,0.5'")
    card.get_by_role("button", name="Other metrics in the chart of val/acc").click()
    page.get_by_role("textbox", name="y from").fill("many")
    page.keyboard.press("Enter")  # which is no number: nothing is set
    page.get_by_role("textbox", name="y from").fill("")
    page.keyboard.press("Enter")
    wait_plot(page, "val/acc", "plot._fullLayout.yaxis.range[1] === 0.5 && plot._fullLayout.yaxis.range[0] > -0.2")
    page.get_by_role("button", name="Axes").click()
    page.get_by_role("checkbox", name="log y").check()
    wait_plot(page, "val/acc", "Math.abs(plot._fullLayout.yaxis.range[1] - Math.log10(0.5)) < 1e-6")


@pytest.mark.parametrize("tab", ["code", "lineage"])
def test_on_a_phone_the_chosen_tab_is_in_sight(page: "Page", alike: Store, serve: Serve, tab: str) -> None:
    page.set_viewport_size(PHONE)
    open_page(page, serve(alike.root), f"/run/{alike.runs()[0].id}?tab={tab}")
    page.get_by_role("tab", selected=True).wait_for()
    until(page, f"({BEYOND})('.tabs [aria-selected=true]').length === 0")


def test_on_a_phone_files_and_versions_are_within_reach(page: "Page", alike: Store, serve: Serve) -> None:
    page.set_viewport_size(PHONE)
    with alike.start_run("with files") as run:
        run.run_log.keep_bytes(b"weights", name="model-of-the-last-epoch.safetensors", kind="model")
    alike.model("digits").add(run.id, note="the first", aliases=["prod"], reason="better on dark images")
    served = serve(alike.root)
    open_page(page, served, f"/run/{run.id}?tab=artifacts")
    page.get_by_role("link", name="Download", exact=False).first.wait_for()
    assert page.evaluate(BEYOND, "main table :is(th, td)") == []
    open_page(page, served, "/models?name=digits")
    page.locator(".models tbody tr").nth(2).wait_for()
    assert page.evaluate(BEYOND, "main table :is(th, td)") == []
