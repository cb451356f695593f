"""Notes on a run in a real browser: written, shown with author and time, and found; their Markdown runs nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from runlore import Store
from runlore._startup import user_name
from tests.ui.browsing import open_page, search, until, wait_names
from tests.ui.pages.test_sent import made, opened
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

NOTE = """# Why it is worse

It **diverged** in *step* `1200`, as [the paper](https://papers.example.org/7) and https://example.org/a_b say.

## Next
- a smaller step
  1. 0.01
  2. 0.003
- **more** data

```
lr = 0.1  # <b>too much</b>
```"""
TAGS = "a article b br code div em h2 h3 h4 h5 h6 li ol p pre section span strong time ul".split()
HOSTILE = [
    "<script>window.hacked=1</script><img src=x onerror='window.hacked=1'><svg onload='window.hacked=1'>",
    "[x](javascript:window.hacked=1) [y](data:text/html,<script>window.hacked=1</script>) [z](//evil.example)",
    "[x](JaVaScRiPt:alert(1)) [x](\tjavascript:alert(1)) [x](java\nscript:alert(1)) [x](vbscript:x) [x](file:///etc/passwd)",
    "[x](https://bank.example@evil.example/) https://bank.example:x@evil.example",
    '[x](https://a.example/"onmouseover="window.hacked=1) **<b onclick=1>** `<i>` ~~x~~',
    "![x](https://evil.example/pixel.png) <https://evil.example> &lt;b&gt; &#106;",
    "[x]: javascript:alert(1)\n[x]\n\n| a | b |\n|---|---|\n- [ ] task\n> quote\n***\n---",
    "```\n</pre><script>window.hacked=1</script>",
    "__proto__ constructor **__proto__** _toString_ [__proto__](https://a.example)",
    "\u202eevil\u202c \x00 \u2028 \ud83d",
]
LONG = [
    *["*a ", "**a **", "_", "*_", "[", "[a](", "`", "- ", "  - a\n", "1. a\n", "#", "# a\n", "```\n", "\n"],
    *["http://[", "https://a.b/)"],
]


def shown(page: "Page", text: str) -> Any:
    """What a note becomes: its outline, the tags in it, and its links."""
    return page.evaluate(
        """async text => {
            const { markdown } = await import("/static/markdown.js");
            const node = markdown(text);
            document.querySelector("main").append(node);
            const all = [...node.querySelectorAll("*")];
            const links = all.filter(one => one.tagName === "A");
            return {
                text: node.textContent,
                tags: [...new Set(all.map(one => one.tagName.toLowerCase()))],
                names: [...new Set(all.flatMap(one => one.getAttributeNames()))],
                links: links.map(one => [one.textContent, one.href, one.rel, one.target]),
            };
        }""",
        text,
    )


def test_a_note_is_written_and_shown_with_its_author_and_its_markdown(
    page: "Page", store_of_one: Store, serve: Serve, tmp_path: Path
) -> None:
    open_page(page, serve(store_of_one.root), "/run/only")
    page.get_by_role("textbox", name="A note").fill(NOTE)
    page.get_by_role("button", name="Add note").click()
    note = page.locator(".note")
    assert note.locator("p").first.inner_text().startswith(f"{user_name()} ")
    assert note.locator("time").get_attribute("datetime")
    assert store_of_one.run("only").notes[0].text == NOTE
    assert note.get_by_role("heading", level=3).inner_text() == "Why it is worse"
    assert note.get_by_role("heading", level=4).inner_text() == "Next"
    assert note.locator("p > strong").inner_text() == "diverged"
    assert note.locator("ul > li > ol > li").all_inner_texts() == ["0.01", "0.003"]
    assert note.locator("pre").inner_text() == "lr = 0.1  # <b>too much</b>"
    assert "the paper (papers.example.org)" in note.inner_text()
    hrefs = [link.get_attribute("href") for link in note.get_by_role("link").all()]
    assert hrefs == ["https://papers.example.org/7", "https://example.org/a_b"]
    sent = made(store_of_one.root, tmp_path / "sent.html")
    opened(page, sent)
    page.locator("details.one").evaluate("one => { one.open = true; }")
    assert page.locator(".note").get_by_role("heading", name="Why it is worse").is_visible()


def test_a_note_is_corrected_and_removed_in_its_place(page: "Page", store_of_one: Store, serve: Serve) -> None:
    for text in ("the **frist**", "the second"):
        store_of_one.run("only").note(text)
    open_page(page, serve(store_of_one.root), "/run/only")
    first = page.locator(".note").first
    first.get_by_role("button", name="Edit the note").press("Enter")  # by the keyboard alone
    box = page.get_by_role("textbox", name="Text of the note")
    assert box.evaluate("box => box === document.activeElement && box.value === 'the **frist**'")
    page.keyboard.type("dropped")
    page.keyboard.press("Escape")
    assert first.locator("strong").inner_text() == "frist"
    assert page.evaluate("document.activeElement.ariaLabel") == "Edit the note"
    page.keyboard.press("Enter")
    box.fill("the **first**")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    first.locator("strong", has_text="first").wait_for()
    assert first.get_by_text("edited").is_visible()
    first.get_by_role("button", name="Remove the note").click()
    page.get_by_text("1 note removed").wait_for()
    assert [note.text for note in store_of_one.run("only").notes] == ["the second"]
    page.locator(".note").nth(1).wait_for(state="detached")
    page.get_by_role("button", name="Undo", exact=True).click()
    page.locator(".note").nth(1).wait_for()
    found = store_of_one.run("only").notes
    assert [(note.text, note.editor) for note in found] == [("the **first**", user_name()), ("the second", None)]


def test_a_correction_that_is_being_written_stays_when_its_run_is_shown_again(
    page: "Page", store_of_one: Store, serve: Serve
) -> None:
    store_of_one.run("only").set_tags({"team": "vision"})
    store_of_one.run("only").note("a note")
    open_page(page, serve(store_of_one.root), "/run/only")
    page.get_by_role("button", name="Edit the note").click()
    box = page.get_by_role("textbox", name="Text of the note")
    box.fill("half a")
    page.evaluate("document.querySelector(`[aria-label='Take the tag team off']`).click()")  # the focus stays
    page.get_by_text("team: vision").wait_for(state="detached")
    assert box.input_value() == "half a"
    assert box.evaluate("box => box === document.activeElement")
    page.keyboard.type(" note")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("half a note").wait_for()
    assert [note.text for note in store_of_one.run("only").notes] == ["half a note"]


def test_runs_are_found_by_a_word_of_their_notes(page: "Page", store: Store, serve: Serve) -> None:
    for name in ("first", "second"):
        store.start_run(name).finish()
    store.run("second").note("fails on dark images")
    open_page(page, serve(store.root), "/?cols=notes")
    wait_names(page, lambda found: len(found) == 2)
    assert page.locator("td", has_text="fails on dark images").is_visible()
    search(page, "dark")
    wait_names(page, lambda found: found == ["second"])
    search(page, "match(notes, '(?i)IMAGES$')")
    until(page, "location.search.includes('IMAGES')")
    wait_names(page, lambda found: found == ["second"])


@pytest.mark.parametrize("text", HOSTILE)
def test_no_note_is_markup_or_leads_anywhere_but_to_the_web(
    page: "Page", store_of_one: Store, serve: Serve, text: str
) -> None:
    """The page's fixture tells whether something ran, or was asked for elsewhere."""
    open_page(page, serve(store_of_one.root), "/run/only")
    found = shown(page, text)
    assert set(found["tags"]) <= set(TAGS)
    assert set(found["names"]) <= {"class", "href", "title", "target", "rel", "tabindex", "start"}
    for _, address, rel, target in found["links"]:
        assert address.startswith(("https://a.example/", "https://evil.example/"))
        assert "@" not in address
        assert (rel, target) == ("noopener noreferrer nofollow", "_blank")
    page.wait_for_timeout(200)  # for what would run late


def test_a_note_of_any_length_and_depth_is_shown(page: "Page", store_of_one: Store, serve: Serve) -> None:
    """What each part of it costs is bounded: with a search that goes back, these would take hours."""
    open_page(page, serve(store_of_one.root), "/run/only")
    for part in LONG:
        found = shown(page, part * 100_000)
        assert found["text"].endswith(f"… and {len(part) * 100_000 - 20_000} more characters: runlore show has them")
        assert len(found["text"]) < 20_200


def test_emphasis_needs_words_and_underscores_within_names_are_none(
    page: "Page", store_of_one: Store, serve: Serve
) -> None:
    open_page(page, serve(store_of_one.root), "/run/only")
    found = shown(page, "val_loss_min * 2 * 3, a ** b, `a_b_c`, [no](link, 2 < 3\nhttps://example.org/x).")
    assert found["tags"] == ["p", "code", "a"]
    assert found["text"] == "val_loss_min * 2 * 3, a ** b, a_b_c, [no](link, 2 < 3\nhttps://example.org/x)."
    assert found["links"][0][1] == "https://example.org/x"
