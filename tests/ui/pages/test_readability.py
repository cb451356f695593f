"""The page for everybody: screen readers, themes, narrow windows, first visits."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, lightning, open_page, plot_of, run_id, wait_names, wait_plot
from tests.ui.serving import Serve, Served, run_script

if TYPE_CHECKING:
    from playwright.sync_api import Page


PAGES = [
    "/", f"/?{SWEEP}&sel=FIRST&sel=SECOND", "/?group=params.lr", "/?tab=scatter", f"/?{SWEEP}&tab=parallel",
    *[f"/run/LIGHTNING?tab={tab}" for tab in ("overview", "charts", "artifacts", "code", "output", "lineage")],
    "/compare?runs=FIRST&runs=SECOND", "/compare", "/find",
    "/models", "/models?name=digits", f"/?{SWEEP}&hide=FIRST",
    *[f"/?{SWEEP}&tab={tab}" for tab in ("heatmap", "boxes", "importance")],
    f"/?{SWEEP}&group=params.lr&over=params.seed",
]  # fmt: skip
DISTINCT = {PAGES[place] for place in (0, 1, 5, 7, 11, 13, 15, 16, 18)}  # the others are made of the same parts
WCAG = {"wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"}


def serious(page: "Page") -> list[tuple[str, list[str]]]:
    """What axe finds against WCAG's levels A and AA, or that keeps somebody from using what is shown."""
    from axe_playwright_python.sync_playwright import Axe

    return [
        (item["id"], [node["html"][:160] for node in item["nodes"][:3]])
        for item in Axe().run(page).response["violations"]
        if item["impact"] in ("serious", "critical") or WCAG & set(item["tags"])
    ]


@pytest.mark.parametrize(
    ("path", "scheme"),
    [
        *[pytest.param(path, "light", marks=[] if path in DISTINCT else pytest.mark.stress) for path in PAGES],
        *[
            pytest.param(path, "dark", marks=pytest.mark.stress if path in DISTINCT else pytest.mark.long)
            for path in PAGES
        ],
    ],
)
def test_axe_finds_nothing_serious(page: "Page", real: Served, path: str, scheme: str) -> None:
    first, second = (run.id for run in Store(real.store).runs('experiment == "sweep"', limit=2))
    path = path.replace("FIRST", first).replace("SECOND", second).replace("LIGHTNING", lightning(real))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, real, path)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.wait_for_timeout(600)
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.stress)])
def test_axe_finds_nothing_serious_in_media_and_filters(page: "Page", store: Store, serve: Serve, scheme: str) -> None:
    for name in ("one", "two"):
        with store.start_run(name, params={"lr": 0.1}) as run:
            run.log_media("samples", np.zeros((8, 8, 3)), step=1, caption=name)
            run.log_media("said", "words", step=1)
            run.log_histogram("weights", [0.0, 1.0], step=1)
            run.log_table("predictions", [{"id": 1, "true": "cat"}], step=1)
            run.log_confusion_matrix("confusion", ["cat", "dog"], ["cat", "cat"], step=1)
            run.log_roc_curve("roc", [0, 1], [0.2, 0.9], step=1)
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, serve(store.root), "/?tab=media&q=params.lr+%3D%3D+0.1")
    for key in ("confusion", "roc", "weights"):
        page.locator(f"[data-media={key}] .main-svg").nth(1).wait_for()
    assert serious(page) == []
    page.get_by_role("button", name="Filter", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="params.lr", exact=True).click()
    page.get_by_role("dialog").get_by_role("textbox", name="at least").wait_for()
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.stress)])
def test_axe_finds_nothing_serious_in_boxes_and_joined_charts(page: "Page", real: Served, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, real, f'/?{SWEEP}&group=params.lr&with=["loss","val/loss"]')
    card = plot_of(page, "loss")
    wait_plot(page, "loss", "plot.data.filter(trace => trace.name).length === 6")
    page.get_by_role("combobox", name="What bands show").wait_for()
    for button in (
        page.get_by_role("button", name="Keys", exact=True),
        card.get_by_role("button", name="Other metrics"),
    ):
        button.click()
        page.get_by_role("dialog").locator("kbd, label").first.wait_for()
        assert serious(page) == []
        page.keyboard.press("Escape")


def test_an_address_that_leads_nowhere_says_so(page: "Page", real: Served) -> None:
    open_page(page, real)
    page.evaluate("history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
    page.get_by_text("There is no such page").wait_for()
    assert real.request("GET", "/nowhere").status == 404


def test_the_theme_is_chosen_and_remembered(page: "Page", real: Served) -> None:
    page.emulate_media(color_scheme="light")
    open_page(page, real, f"/?{SWEEP}")
    plot_of(page, "val/acc")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_narrow_window_is_readable(page: "Page", real: Served) -> None:
    page.set_viewport_size({"width": 1024, "height": 700})
    for path in (f"/?{SWEEP}", f"/run/{lightning(real)}", "/find"):
        open_page(page, real, path)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024


def test_a_search_and_its_candidates_are_readable_in_a_narrow_window(page: "Page", real: Served) -> None:
    """No name is broken over lines, and no table lies over what is beside it."""
    page.set_viewport_size({"width": 1024, "height": 700})
    open_page(page, real, "/run/" + run_id(real, 'tags.estimator == "GridSearchCV"'))
    page.get_by_role("heading", name="Children").wait_for()
    heights = page.locator("tbody a[data-inside]").evaluate_all("all => all.map(one => one.getClientRects().length)")
    assert heights
    assert set(heights) == {1}
    edges = "all => all.map(one => one.getBoundingClientRect().right)"
    assert max(page.locator(".columns2 table").evaluate_all(edges)) <= 1024


def test_an_empty_store_says_what_to_type(page: "Page", tmp_path: Path, serve: Serve) -> None:
    served = serve(tmp_path / ".runlore")
    open_page(page, served)
    page.get_by_text("runlore run train.py").wait_for()
    run_script(tmp_path / ".runlore", "-c", "import runlore\nwith runlore.start_run('first'): pass", folder=tmp_path)
    wait_names(page, lambda found: found == ["first"])
