"""Pictures and pages that somebody made to do harm, in the page and in a view that was sent."""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
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


BAD = "</td><img src=x onerror='window.hacked=1'>" + SCRIPT + "\x1b]8;;https://evil.example\x07"
TOLD = """
import runlore
bad = {bad!r}
with runlore.start_run(bad, params={{bad: bad}}, tags={{bad[:60]: bad}}, experiment="e " + bad) as run:
    run.log_media(bad, [{svg!r}], step=1, caption=bad)
    run.log_media("page", bad, kind="html", step=1, caption=bad)
    run.log_table(bad + "t", [{{bad: bad}}], step=1)
    run.log_media("video", bad.encode(), kind="video", step=1)
    run.log_media("bomb", runlore_bomb, step=1)
    run.log_metrics({{bad: 1.0}})
    run.note(bad)
    run.run_log.keep_bytes(b"weights", name="model.bin", kind="model")
store = runlore.open_store()
store.model("digits").add(run.id, "model.bin", note=bad, aliases=["prod"])
"""
SHOWN = (
    "run", "store", "store.runs()", "one = store.runs('parent is None')[0]\none", "one.artifacts", "one.metrics",
    "one.params", "one.notes", "store.models()", "store.model('digits')",
    "store.model('digits')['prod']", "store.model('digits').history", "list(one.environment)",
)  # fmt: skip
# As a notebook that is trusted does: markup is put into the page, and its scripts run.
INSERT = """([type, text]) => {
    const node = document.body.appendChild(document.createElement("div"));
    if (type === "text/html") node.append(document.createRange().createContextualFragment(text));
    else node.textContent = text;
}"""


def shown(*cells: str) -> list[tuple[str, str]]:
    """Execute cells in a kernel of Jupyter; what they show, by type."""
    nbclient = pytest.importorskip("nbclient")
    form = pytest.importorskip("nbformat").v4
    notebook = form.new_notebook(cells=[form.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    found: list[tuple[str, str]] = []
    outputs: list[Any] = [output for cell in notebook.cells for output in cell.outputs]
    for output in outputs:
        found += output["data"].items() if "data" in output else [(f"text/{output['name']}", output["text"])]
    return found


def test_hostile_media_do_nothing_in_a_notebook(page: "Page", store: Store, tmp_path: Path) -> None:
    """Names, captions, warnings and tables, as a kernel tells them, in a page that shows them as Jupyter does."""
    (tmp_path / "drawn.svg").write_bytes(SVG.encode())
    (tmp_path / "bomb.png").write_bytes(bomb())
    files = f"from pathlib import Path\nrunlore_bomb = Path({str(tmp_path / 'bomb.png')!r})\n"
    told = files + TOLD.format(bad=BAD, svg=tmp_path / "drawn.svg").replace("PosixPath", "Path")
    found = shown(told, *SHOWN)
    assert {kind for kind, _ in found} <= {"text/html", "text/plain", "text/stderr", "text/stdout"}
    assert sum(kind == "text/html" for kind, _ in found) >= 2
    (run,) = store.runs()
    assert [item.media for item in run.artifacts if item.media]
    page.goto("about:blank")
    for kind, text in found:
        page.evaluate(INSERT, [kind, text])
    page.wait_for_timeout(300)  # for what would run late
    assert page.locator("script, iframe, img, svg, [onerror], a").count() == 0
    assert not [text for _, text in found if "\x1b]" in text]  # which acts on terminals, and on the page of Jupyter
