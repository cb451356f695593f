"""Tags, notes and removals in a real browser."""

from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import SWEEP, names, open_page, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_selected_runs_are_tagged_and_noted_in_place(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    for name in ("sweep-0.1-1", "sweep-0.1-2"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Tag").click()
    page.get_by_role("textbox", name="Key of the tag").fill("good")
    page.get_by_role("textbox", name="Value of the tag").fill("yes")
    page.get_by_role("button", name="Set").click()
    page.locator(".pop").wait_for(state="detached")
    page.get_by_role("button", name="Note").click()
    page.get_by_role("textbox", name="Note").fill("keep these")
    page.get_by_role("button", name="Add").click()
    page.locator(".pop").wait_for(state="detached")
    page.get_by_role("button", name="Pin").click()
    page.locator("[title=pinned]").nth(1).wait_for()
    store = Store(own.store)
    for name in ("sweep-0.1-1", "sweep-0.1-2"):
        assert store.run(name).tags["good"] == "yes"
        assert store.run(name).notes == ["keep these"]
        assert store.run(name).tags["pinned"] == "yes"
    assert "good" not in store.run("sweep-0.1-3").tags


def test_runs_are_removed_and_undone_in_place(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("checkbox", name="Select sweep-0.1-1").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    wait_names(page, lambda found: len(found) == 11 and "sweep-0.1-1" not in found)
    assert not Store(own.store).runs('name == "sweep-0.1-1"')
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_names(page, lambda found: "sweep-0.1-1" in found)


def test_a_run_is_tagged_noted_and_removed_on_its_page(page: "Page", own: Served) -> None:
    open_page(page, own, "/run/sweep-0.1-1")
    page.get_by_role("button", name="+ tag").click()
    page.get_by_role("textbox", name="Key of the tag").fill("mark")
    page.get_by_role("textbox", name="Value of the tag").fill("seven")
    page.get_by_role("button", name="Set").click()
    page.get_by_text("mark: seven").wait_for()
    page.get_by_role("button", name="Take the tag team off").click()
    page.get_by_text("team: vision").wait_for(state="detached")
    page.get_by_role("textbox", name="A note").fill("a\nnote")
    page.get_by_role("button", name="Add note").click()
    page.locator("p", has_text="a\nnote").wait_for()
    store = Store(own.store)
    assert store.run("sweep-0.1-1").tags == {"mark": "seven"}
    assert store.run("sweep-0.1-1").notes == ["a\nnote"]
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("1 run removed").wait_for()
    assert not Store(own.store).runs('name == "sweep-0.1-1"')
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("heading", name="sweep-0.1-1").wait_for()


def test_a_removal_is_undone_by_its_own_button(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    for left, name in ((11, "sweep-0.1-1"), (10, "sweep-0.1-2")):
        page.get_by_role("checkbox", name=f"Select {name}").check()
        page.get_by_role("button", name="Remove", exact=True).click()
        wait_names(page, lambda found, left=left: len(found) == left)  # type: ignore[misc]
    page.get_by_text("1 run removed").nth(1).wait_for()
    page.get_by_role("button", name="Undo", exact=True).last.click()
    wait_names(page, lambda found: "sweep-0.1-2" in found)
    assert "sweep-0.1-1" not in names(page)


def test_words_of_a_note_stay_while_a_run_goes_on(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        open_page(page, serve(store.root), f"/run/{run.id}")
        note = page.get_by_role("textbox", name="A note")
        note.fill("half a thought")
        page.get_by_role("heading", name="live").click()
        told = page.evaluate("window.told = 0")
        for step in range(1, 4):
            run.log_metrics({"loss": 1.0}, step)
            page.wait_for_timeout(700)
        assert told == 0
        assert note.input_value() == "half a thought"
