"""All pages: recorded texts are no markup; themes, screen readers, narrow windows, wrong addresses."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, lightning, open_page, plot_of, run_id, wait_names
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


EVERYWHERE = [
    "/", "/?all=1&tab=scatter&q=status+%3D%3D+%22failed%22", "/?q=status+%3D%3D+%22failed%22&group=tags.x",
    "/?q=status+%3D%3D+%22failed%22&tab=parallel", "/run/EVIL", "/run/EVIL?tab=charts", "/run/EVIL?tab=artifacts",
    "/run/EVIL?tab=code", "/run/EVIL?tab=output", "/run/EVIL?tab=lineage", "/compare?runs=EVIL&runs=OTHER",
    "/find?sha256=SHA",
]  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_nothing_that_a_run_recorded_is_markup(page: "Page", real: Served, path: str) -> None:
    """The page's fixture tells whether something ran."""
    evil = Store(real.store).runs('status == "failed"')[0]
    sha256 = str(next(item for item in evil.artifacts if item.name.endswith(".html")).sha256)
    path = path.replace("EVIL", evil.id).replace("OTHER", run_id(real, 'name == "sweep-0.1-1"')).replace("SHA", sha256)
    open_page(page, real, path)
    page.locator("main .page *").first.wait_for()
    if "artifacts" in path:
        for place in range(page.get_by_role("button", name="Look").count()):
            page.get_by_role("button", name="Look").nth(place).click()
        page.get_by_text("<img src=x", exact=False).first.wait_for()
    page.wait_for_timeout(400)  # for what would run late
    markup = "main script, main [onerror], main img:not(.picture), main b[onclick]"
    assert page.locator(markup).count() == 0


def test_bidirectional_and_control_characters_are_seen(
    page: "Page", store: Store, serve: Callable[..., Served]
) -> None:
    with store.start_run("a\u202ereversed\x07"):
        pass
    open_page(page, serve(store.root))
    wait_names(page, lambda found: found == ["a\\u202ereversed\\u0007"])


PAGES = [
    "/", f"/?{SWEEP}&sel=FIRST&sel=SECOND", "/?group=params.lr", "/?tab=scatter", f"/?{SWEEP}&tab=parallel",
    *[f"/run/LIGHTNING?tab={tab}" for tab in ("overview", "charts", "artifacts", "code", "output", "lineage")],
    "/compare?runs=FIRST&runs=SECOND", "/compare", "/find",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(page: "Page", real: Served, path: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    first, second = (run.id for run in Store(real.store).runs('experiment == "sweep"', limit=2))
    path = path.replace("FIRST", first).replace("SECOND", second).replace("LIGHTNING", lightning(real))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, real, path)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.wait_for_timeout(600)
    found = Axe().run(page).response["violations"]
    serious = [
        (item["id"], [node["html"][:160] for node in item["nodes"][:3]])
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []


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
