"""The lineage of a run as a graph in a real browser."""

from io import BytesIO
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
from PIL import Image, ImageColor

from runlore import Store
from tests.ui.browsing import kept, lightning, open_page
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

BOXES = """boxes => boxes.map(box => ({name: box.querySelector(".name").textContent, x: box.offsetLeft,
    y: box.offsetTop, right: box.offsetLeft + box.offsetWidth, low: box.offsetTop + box.offsetHeight}))"""


def boxes(page: "Page") -> dict[str, Any]:
    page.locator(".graph .node").first.wait_for()
    return {box["name"]: box for box in page.locator(".graph .node").evaluate_all(BOXES)}


def record(store: Store, folder: Path, name: str, reads: list[str], writes: list[str]) -> None:
    with store.start_run(name) as run:
        for file in reads:
            run.log_data(Path(file).stem, folder / file)
        for file in writes:
            (folder / file).write_text(f"content of {file}")
            run.log_artifact(folder / file, kind="data")


def chain(store: Store, folder: Path) -> None:
    """What one run writes is read by the next; the last one reads what the first wrote, too."""
    record(store, folder, "collect", [], ["raw.csv"])
    record(
        store, folder, "clean", ["raw.csv"], ["clean.csv", "a file with a name that is far too long for any box.csv"]
    )
    record(store, folder, "split", ["clean.csv"], ["train.csv", "test.csv"])
    record(store, folder, "score", ["train.csv", "test.csv", "raw.csv"], ["report.csv"])


def test_a_lineage_is_drawn_from_left_to_right(page: "Page", store: Store, tmp_path: Path, serve: Serve) -> None:
    chain(store, tmp_path)
    served = serve(store.root)
    open_page(page, served, "/run/collect?tab=lineage")
    found = boxes(page)
    way = ("collect", "raw.csv", "clean", "clean.csv", "split", "train.csv", "score", "report.csv")
    assert all(found[one]["right"] < found[next_one]["x"] for one, next_one in pairwise(way))
    for one, other in combinations(found.values(), 2):
        assert (
            one["right"] <= other["x"]
            or other["right"] <= one["x"]
            or one["low"] <= other["y"]
            or other["low"] <= one["y"]
        )
    assert page.locator(".graph svg .edge").count() == 11
    assert page.locator(".graph [aria-current] .name").all_inner_texts() == ["collect"]
    elided = page.locator(".graph .name", has_text="far too long")
    assert (
        elided.evaluate("name => name.scrollWidth > name.offsetWidth && getComputedStyle(name).textOverflow")
        == "ellipsis"
    )
    page.locator(".graph").focus()
    for name in ("collect", "raw.csv", "clean"):  # from column to column
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.querySelector('.name').textContent") == name
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="clean").wait_for()
    page.go_back()
    page.locator(".graph a.node", has_text="report.csv").click()
    page.get_by_text("score").first.wait_for()


def test_a_line_passes_no_box_between(page: "Page", store: Store, tmp_path: Path, serve: Serve) -> None:
    """From raw.csv to score, over four columns."""
    chain(store, tmp_path)
    served = serve(store.root)
    open_page(page, served, "/run/collect?tab=lineage")
    found = boxes(page)
    points = page.locator(".graph svg .edge").evaluate_all(
        """paths => paths.map(path => Array.from({length: 201}, (_, at) => {
            const {x, y} = path.getPointAtLength(path.getTotalLength() * at / 200);
            return [x, y];
        }))"""
    )
    inside = [
        box["name"]
        for line in points
        for x, y in line
        for box in found.values()
        if box["x"] + 1 < x < box["right"] - 1 and box["y"] < y < box["low"]
    ]
    assert inside == []


def test_the_list_says_the_same_as_the_graph(page: "Page", real: Served) -> None:
    open_page(page, real, f"/run/{lightning(real)}?tab=lineage")
    drawn = sorted(boxes(page))
    assert page.locator(".graph .says", has_text="step").count() > 1
    page.get_by_text("As a list").click()
    listed = page.locator("ul.tree li").all_inner_texts()
    assert all(any(name in line for line in listed) for name in drawn)


def test_of_many_things_the_nearest_are_drawn(page: "Page", store: Store, tmp_path: Path, serve: Serve) -> None:
    record(store, tmp_path, "many", [], [f"part-{number}.csv" for number in range(200)])
    record(store, tmp_path, "one", ["part-7.csv"], [])
    served = serve(store.root)
    page.set_viewport_size({"width": 390, "height": 844})
    open_page(page, served, "/run/many?tab=lineage")
    page.get_by_text("The 150 nearest of 202 things are drawn; the list has all.").wait_for()
    found = boxes(page)
    assert len(found) == 150
    assert "many" in found
    assert "one" not in found, "it is further away than any file"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    seen = page.locator(".graph [aria-current]").evaluate(
        "box => { const [a, b] = [box, box.closest('.graph')].map(one => one.getBoundingClientRect());"
        " return a.top >= b.top && a.bottom <= b.bottom && a.left >= b.left; }"
    )
    assert seen
    page.get_by_text("As a list").click()
    assert page.locator("ul.tree li", has_text="part-").count() >= 200


HOSTILE = "<script>alert(1)</script> \ufffe & ]]> \"'"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_lineage_is_kept_as_pictures_in_which_names_are_inert(
    page: "Page", store: Store, tmp_path: Path, serve: Serve, theme: Any
) -> None:
    record(store, tmp_path, "collect", [], ["raw.csv"])
    record(store, tmp_path, HOSTILE, ["raw.csv"], ["a file with a name that is far too long for any box.csv"])
    (run,) = store.runs("name != 'collect'")
    page.emulate_media(color_scheme=theme)
    open_page(page, serve(store.root), f"/run/{run.id}?tab=lineage")
    drawn = boxes(page)
    back = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--back')")
    file, content = kept(page, "Download lineage", "SVG")
    assert file == "lineage.svg"
    root = ElementTree.fromstring(content)
    kinds = {part.tag.rpartition("}")[2] for part in root.iter()}
    assert kinds == {"svg", "rect", "text", "path", "marker", "defs"}, "neither scripts, styles nor links"
    assert not any(name.startswith(("on", "href", "class")) for part in root.iter() for name in part.attrib)
    ground = root[0].attrib
    assert ground["fill"] == back
    texts = [part.text or "" for part in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"collect", "raw.csv"} <= set(texts)
    assert any(text.startswith("<script>alert(1)") for text in texts)
    assert any(text.startswith("a file with") and text.endswith("…") for text in texts)
    places = {part.text: float(part.attrib["x"]) for part in root.iter("{http://www.w3.org/2000/svg}text")}
    assert places["raw.csv"] - places["collect"] == pytest.approx(drawn["raw.csv"]["x"] - drawn["collect"]["x"], abs=3)
    _, content = kept(page, "Download lineage", "PNG")
    image = Image.open(BytesIO(content)).convert("RGB")
    assert image.size == (2 * int(ground["width"]), 2 * int(ground["height"]))
    assert image.getpixel((1, 1)) == ImageColor.getrgb(back)
    assert len(image.getcolors(1 << 24) or []) > 50, "boxes, lines and letters"


def test_a_picture_of_many_boxes_is_as_fine_as_browsers_draw(
    page: "Page", store: Store, tmp_path: Path, serve: Serve
) -> None:
    """A graph may be higher than any canvas is."""
    record(store, tmp_path, "many", [], [f"part-{number}.csv" for number in range(160)])
    open_page(page, serve(store.root), "/run/many?tab=lineage")
    boxes(page)
    image = Image.open(BytesIO(kept(page, "Download lineage", "PNG")[1]))
    assert 15_900 < image.height <= 16_000
    assert len(image.convert("RGB").getcolors(1 << 24) or []) > 50
