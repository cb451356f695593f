"""Models with names, in a real browser."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from runlore import Store
from runlore.maintenance.removal import remove
from tests.ui.browsing import open_page, query
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page


def test_from_the_list_to_why_two_versions_differ(page: "Page", real: Served) -> None:
    open_page(page, real)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("link", name="vision/sevens").wait_for()
    assert "prod 2" in page.locator("tbody tr").first.inner_text()
    page.get_by_role("link", name="digits").click()
    page.get_by_role("heading", name="digits").wait_for()
    shown = page.get_by_role("region", name="Versions")
    assert [row.split("\t")[1] for row in shown.locator("tbody tr").all_inner_texts()] == ["3", "2", "1"]
    assert "larger steps" in shown.inner_text()
    history = page.get_by_role("region", name="History").inner_text()
    for told in ("prod 1 → 2", "better on dark images", "prod nothing → 1", "note on version 1: fails on sevens"):
        assert told in history
    compare = page.get_by_role("button", name="Compare", exact=True)
    assert compare.is_disabled()
    for version in ("1", "2"):
        page.get_by_label(f"Compare version {version}").focus()
        page.keyboard.press("Space")
    compare.focus()
    page.keyboard.press("Enter")
    page.get_by_text("sweep-0.1-0").first.wait_for()
    runs = [Store(real.store).run(name).id for name in ("sweep-0.01-2", "sweep-0.1-0")]
    assert (page.evaluate("location.pathname"), query(page)["runs"]) == ("/compare", runs)


def test_what_was_prod_on_a_day(page: "Page", real: Served) -> None:
    open_page(page, real, "/models?name=digits")
    day = page.get_by_label("As it was on that day")
    day.fill((datetime.now(UTC) - timedelta(days=3)).date().isoformat())
    page.get_by_text("It had no versions at the end of that day").wait_for()
    history = page.get_by_role("region", name="History")
    assert history.inner_text() == "Nothing had happened to it yet."
    page.get_by_role("button", name="Now").click()
    page.get_by_label("Compare version 3").wait_for()
    assert "at" not in query(page)
    assert "prod 1 → 2" in history.inner_text()


def test_a_run_and_a_file_lead_to_their_model(page: "Page", real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-0")
    open_page(page, real, f"/find?sha256={run.artifact('model.bin').sha256}")
    page.get_by_role("link", name="digits 2").wait_for()
    page.get_by_role("link", name="sweep-0.1-0").click()
    page.get_by_role("link", name="digits 2").click()
    page.get_by_label("Compare version 2").wait_for()


def test_nothing_is_wider_than_a_narrow_window(page: "Page", real: Served) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    for path in ("/models", "/models?name=digits"):
        open_page(page, real, path)
        page.locator("tbody tr").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_store_without_models_says_how_to_make_one(
    page: "Page", serve: Serve, store_of_one: Store, expected: list[str]
) -> None:
    expected.append("404")  # of the model that is not there
    served = serve(store_of_one.root)
    open_page(page, served, "/models")
    page.get_by_role("heading", name="No models yet").wait_for()
    open_page(page, served, "/models?name=other")
    page.get_by_text("there is no model 'other'").wait_for()


def test_a_version_whose_run_is_gone_can_not_be_compared(
    page: "Page", serve: Serve, store_of_one: Store, tmp_path: "Path"
) -> None:
    (tmp_path / "m.pt").write_bytes(b"w")
    with store_of_one.start_run("gone") as run:
        run.log_artifact(tmp_path / "m.pt", model="digits")
    remove(store_of_one, [store_of_one.run("gone")])
    open_page(page, serve(store_of_one.root), "/models?name=digits")
    assert page.get_by_label("Compare version 1").is_disabled()
    assert "gone" in page.locator("tbody tr").first.inner_text()
