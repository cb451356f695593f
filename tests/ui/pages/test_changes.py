"""Names, tags, notes and removals in a real browser."""

import re
from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import SWEEP, names, open_page, query, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

RUN = re.compile(r"/api/runs/[^/?]+$")


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
        assert [note.text for note in store.run(name).notes] == ["keep these"]
        assert store.run(name).tags["pinned"] == "yes"
    assert "good" not in store.run("sweep-0.1-3").tags


def test_runs_are_archived_shown_and_taken_in_again(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    for name in ("sweep-0.1-1", "sweep-0.1-2"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Archive", exact=True).click()
    wait_names(page, lambda found: len(found) == 10 and "sweep-0.1-1" not in found)
    assert Store(own.store).run("sweep-0.1-1").tags["archived"] == "yes"
    page.get_by_role("button", name="Show 2 archived").click()
    wait_names(page, lambda found: len(found) == 12)
    assert query(page)["archived"] == ["1"]
    assert page.locator("tr.archived").all_inner_texts()[0].count("archived") == 1
    page.reload()
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("checkbox", name="Select sweep-0.1-1").check()
    page.get_by_role("button", name="Unarchive").click()
    page.get_by_text("1 run no longer archived").wait_for()
    page.get_by_role("button", name="Hide archived").click()
    wait_names(page, lambda found: len(found) == 11 and "sweep-0.1-1" in found)
    page.get_by_role("button", name="Undo", exact=True).last.click()
    wait_names(page, lambda found: len(found) == 10)
    open_page(page, own, "/run/sweep-0.1-1")
    page.get_by_role("button", name="Archived", pressed=True).click()
    page.get_by_role("button", name="Archive", exact=True, pressed=False).wait_for()
    assert Store(own.store).run("sweep-0.1-1").tags == {"team": "vision"}


def test_an_experiment_whose_runs_are_all_archived_offers_them(page: "Page", store: Store, serve: Serve) -> None:
    store.start_run("only").finish()
    store.run("only").archive()
    open_page(page, serve(store.root))
    page.get_by_role("button", name="Show 1 archived").click()
    wait_names(page, lambda found: found == ["only"])


def test_runs_are_removed_and_undone_in_place(page: "Page", own: Served) -> None:
    open_page(page, own, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    page.get_by_role("checkbox", name="Select sweep-0.1-1").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    wait_names(page, lambda found: len(found) == 11 and "sweep-0.1-1" not in found)
    assert not Store(own.store).runs('name == "sweep-0.1-1"')
    page.get_by_role("button", name="Undo", exact=True).click()
    wait_names(page, lambda found: "sweep-0.1-1" in found)


def test_a_pinned_run_is_not_removed_and_can_be_unpinned_there(
    page: "Page", store: Store, serve: Serve, expected: list[str]
) -> None:
    expected.append("400 (Bad Request)")  # Chromium's word for the removal
    for name in ("here", "kept"):
        store.start_run(name, tags={"pinned": "yes"} if name == "kept" else {}).finish()
    open_page(page, serve(store.root))
    wait_names(page, lambda found: len(found) == 2)
    page.get_by_role("checkbox", name="Select the runs that are loaded").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    said = page.get_by_role("status").get_by_text("kept is pinned: nothing was removed.")
    said.wait_for()
    assert len(store.runs()) == 2
    page.get_by_role("button", name="Unpin", exact=True).click()
    page.locator("[title=pinned]").wait_for(state="detached")
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("2 runs removed").wait_for()
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("link", name="here", exact=True).click()
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_role("button", name="Pinned", exact=True).wait_for()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("here is pinned: nothing was removed.").wait_for()
    page.get_by_role("button", name="Unpin", exact=True).click()
    page.get_by_role("button", name="Pin", exact=True).wait_for()


def test_a_parent_whose_child_is_pinned_is_not_removed(
    page: "Page", store: Store, serve: Serve, expected: list[str]
) -> None:
    expected.append("400 (Bad Request)")  # Chromium's word for the removal
    with store.start_run("parent") as parent:
        for name in ("kept", "other"):
            store.start_run(name, parent=parent, tags={"pinned": "yes"} if name == "kept" else {}).finish()
    open_page(page, serve(store.root))
    wait_names(page, ["parent"].__eq__)
    page.get_by_role("checkbox", name="Select parent").check()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("kept is pinned: nothing was removed.").wait_for()
    page.get_by_role("link", name="parent", exact=True).click()
    page.get_by_role("heading", name="parent").wait_for()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("kept is pinned: nothing was removed.").nth(1).wait_for()
    assert len(store.runs()) == 3
    with page.expect_response("**/api/pin"):
        page.get_by_role("button", name="Unpin", exact=True).last.click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("3 runs removed").wait_for()


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
    assert [note.text for note in store.run("sweep-0.1-1").notes] == ["a\nnote"]
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_text("1 run removed").wait_for()
    assert not Store(own.store).runs('name == "sweep-0.1-1"')
    page.get_by_role("button", name="Undo", exact=True).click()
    page.get_by_role("heading", name="sweep-0.1-1").wait_for()


def test_a_note_that_is_being_written_stays_when_its_run_is_shown_again(page: "Page", own: Served) -> None:
    """An answer that came meanwhile once took it away."""
    open_page(page, own, "/run/sweep-0.1-1")
    held: list[Route] = []
    page.route(RUN, lambda route: route.continue_() if held else held.append(route))
    page.get_by_role("button", name="Take the tag team off").click()
    while not held:
        page.wait_for_timeout(20)
    box = page.get_by_role("textbox", name="A note")
    box.fill("half a note")
    held[0].continue_()
    page.get_by_text("team: vision").wait_for(state="detached")
    assert box.input_value() == "half a note"
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "A note"


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


def test_a_run_is_renamed_moved_and_described_in_its_head(page: "Page", own: Served, expected: list[str]) -> None:
    expected.append("400 (Bad Request)")  # Chromium's word for a name that is refused
    open_page(page, own, "/run/sweep-0.1-1")
    edit = page.get_by_role("button", name="Edit")
    edit.press("Enter")  # by the keyboard alone, from here on
    name = page.get_by_role("textbox", name="Name")
    assert name.evaluate("box => box === document.activeElement")
    page.keyboard.type("best")
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="sweep-0.1-1").wait_for()
    assert edit.evaluate("button => button === document.activeElement")
    page.keyboard.press("Enter")
    page.keyboard.type("best")
    page.keyboard.press("Tab")
    page.keyboard.press("Delete")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("write at least one letter").wait_for()
    page.keyboard.type("paper")
    page.keyboard.press("Tab")
    page.keyboard.type("the one in table 2")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("<b>second line</b>")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="best").wait_for()
    assert page.title() == "best · runlore"
    assert page.locator(".described").inner_text() == "the one in table 2\n<b>second line</b>"
    assert page.locator(".run-head").get_by_text("paper").is_visible()
    found = Store(own.store).run("best")
    assert (found.experiment, found.status) == ("paper", "finished")
    assert found.tags == {"team": "vision", "description": "the one in table 2\n<b>second line</b>"}


def test_a_name_that_is_being_typed_stays_while_a_run_goes_on(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        open_page(page, serve(store.root), f"/run/{run.id}")
        page.get_by_role("button", name="Edit").click()
        name = page.get_by_role("textbox", name="Name")
        name.fill("half a na")
        for step in range(1, 4):
            run.log_metrics({"loss": 1.0}, step)
            page.wait_for_timeout(700)
        assert name.input_value() == "half a na"
        name.fill("half a name")
        page.get_by_role("button", name="Save").click()
        page.get_by_role("heading", name="half a name").wait_for()
    assert store.run("half a name").status == "finished"
