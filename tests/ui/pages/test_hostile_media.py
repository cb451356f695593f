"""Pictures and pages that somebody made to do harm, in the page and in a view that was sent."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from runlore import Store
from tests.media.test_dimensions import bomb
from tests.ui.browsing import open_page, until
from tests.ui.pages.test_sent import made, opened
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page

SCRIPT = "<script>window.hacked = parent.hacked = 1; fetch('https://evil.example/')</script>"
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="40" height="40"
onload="parent.hacked=1">{SCRIPT}<image href="https://evil.example/x.png" width="9" height="9"/>
<foreignObject width="9" height="9"><iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:parent.hacked=1"/>
</foreignObject><use xlink:href="https://evil.example/a.svg#b"/><circle cx="20" cy="20" r="9" fill="teal"/></svg>"""
POLYGLOT = (
    b"GIF89a\x01\x00\x01\x00\x80\x00\x00\xff\xff\xff\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"
)


def commented() -> bytes:
    """A JPEG whose EXIF and comment are markup."""
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = f"\"><img src=x onerror='window.hacked=1'>{SCRIPT}"  # the description
    Image.fromarray(np.zeros((9, 9, 3), dtype=np.uint8)).save(file, "JPEG", exif=exif, comment=SCRIPT.encode())
    return file.getvalue()


def record(store: Store) -> str:
    files = {"drawn.svg": SVG.encode(), "both.gif": POLYGLOT + SCRIPT.encode(), "told.jpg": commented()}
    with store.start_run("hostile") as run:
        for name, content in files.items():
            run.run_log.keep_bytes(content, name=name, kind="plot")
            path = store.root.parent / name
            path.write_bytes(content)
            run.log_media(name.partition(".")[0], path, step=1)
        run.run_log.keep_bytes(bomb(), name="bomb.png", kind="plot")
        run.run_log.keep_bytes(bomb(), name="forged.png", kind="image", step=1, facts={"media": "forged"})
        run.log_media("page", f"<html>{SCRIPT}</html>", kind="html", step=1)
    return run.id


def test_hostile_media_do_nothing_in_the_page(page: "Page", store: Store, serve: Serve, expected: list[str]) -> None:
    """The page's fixture tells whether something ran, or was asked for elsewhere."""
    expected.append("400 (Bad Request)")  # of the picture that a log of somebody else has among its media
    run = record(store)
    served = serve(store.root)
    open_page(page, served, f"/run/{run}?tab=media")
    until(page, "[...document.querySelectorAll('[data-media] img')].filter(img => img.naturalWidth > 0).length === 3")
    forged = page.locator("[data-media=forged]")
    forged.get_by_text("60,000 × 60,000 pixels is too large").wait_for()
    assert forged.locator("img").count() == 0
    assert page.locator("[data-media=page]").get_by_text("window.hacked").is_visible()
    open_page(page, served, f"/run/{run}?tab=artifacts")
    for name in ("drawn.svg", "both.gif", "told.jpg", "bomb.png"):
        page.get_by_role("button", name=f"Look into {name}").first.click()
    page.get_by_text("60,000 × 60,000 pixels is too large").wait_for()
    until(page, "[...document.querySelectorAll('img.picture')].filter(img => img.naturalWidth > 0).length === 3")
    page.wait_for_timeout(300)  # for what would run late
    assert page.locator("main script, main iframe, main svg image").count() == 0


def test_hostile_media_do_nothing_in_a_view_that_was_sent(
    page: "Page", store: Store, serve: Serve, tmp_path: Path
) -> None:
    record(store)
    served = serve(store.root)
    opened(page, made(store.root, tmp_path / "sent.html"))
    page.locator("details.one").first.evaluate("one => { one.open = true; }")
    page.wait_for_timeout(300)  # for what would run late
    assert page.locator("main iframe, main svg image").count() == 0
    open_page(page, served)  # the page's fixture looks at a page of the server
