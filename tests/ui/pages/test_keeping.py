"""What pictures and tables show is kept as files, in a real browser."""

import csv
import io
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.browsing import SWEEP, open_page
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def kept(page: "Page", what: str, name: str) -> tuple[str, bytes]:
    """The name and the content of the file that a button offers."""
    page.get_by_role("button", name=what, exact=True).click()
    with page.expect_download() as waiting:
        page.get_by_role("dialog").get_by_role("button", name=name, exact=True).click()
    return waiting.value.suggested_filename, waiting.value.path().read_bytes()


def rows(page: "Page", what: str, name: str = "CSV") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(kept(page, what, name)[1].decode())))


@pytest.mark.parametrize(
    ("picture", "chosen"),
    [
        ("Scatter plot", "tab=scatter&sx=params.lr&sy=metrics.loss"),
        ("Parallel coordinates", "tab=parallel&dims=params.lr&dims=metrics.loss"),
        ("Heat map", "tab=heatmap&hx=params.lr&hy=params.seed&hm=metrics.loss"),
        ("Box plot", "tab=boxes&bx=params.lr&bm=metrics.loss"),
    ],
)
def test_a_picture_of_runs_is_kept_as_csv_png_and_svg(page: "Page", real: Served, picture: str, chosen: str) -> None:
    open_page(page, real, f"/?{SWEEP}&{chosen}")
    page.locator(".big .main-svg").first.wait_for()
    runs = Store(real.store).runs('experiment == "sweep"')
    expected = {(run.id, str(run.params["lr"]), str(run.metrics["loss"].last)) for run in runs}
    assert {(row["id"], row["params.lr"], row["metrics.loss"]) for row in rows(page, f"Download {picture}")} == expected
    file, content = kept(page, f"Download {picture}", "PNG")
    assert file == f"{picture.replace(' ', '_')}.png"
    assert content.startswith(b"\x89PNG")
    assert b"<svg" in kept(page, f"Download {picture}", "SVG")[1]


def test_no_picture_is_kept_where_none_is_drawn(page: "Page", store: Store, serve: Serve) -> None:
    store.start_run("bare").finish()
    open_page(page, serve(store.root), "/?tab=parallel")
    page.get_by_text("Two axes at least").wait_for()
    assert not page.get_by_role("button", name="Download Parallel coordinates").is_visible()


def test_importance_is_kept_as_csv(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&tab=importance&im=metrics.loss")
    page.locator(".importance tbody tr").first.wait_for()
    assert {row["field"] for row in rows(page, "Download importance loss")} >= {"params.lr", "params.seed"}


def test_groups_are_kept_as_csv(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}&group=params.lr&cols=metrics.loss")
    page.locator(".groups tbody tr").nth(2).wait_for()
    found = {row["params.lr"]: row for row in rows(page, "Download", "Table as CSV")}
    values = [run.metrics["loss"].last or 0.0 for run in Store(real.store).runs("params.lr == 0.1")]
    assert found.keys() == {"0.1", "0.01", "0.001"}
    assert found["0.1"]["runs"] == "4"
    assert float(found["0.1"]["metrics.loss"]) == pytest.approx(sum(values) / 4)
    assert float(found["0.1"]["metrics.loss low"]) < sum(values) / 4 < float(found["0.1"]["metrics.loss high"])


def test_the_numbers_of_media_are_kept_as_csv(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("one") as run:
        run.log_histogram("weights", [0.0, 1.0, 1.0], bins=2)
        run.log_table("predictions", [{"id": 1, "said": "=cat"}])
        run.log_confusion_matrix("confusion", ["cat", "dog"], ["cat", "cat"])
        run.log_roc_curve("roc", [0, 1], [0.2, 0.9])
    open_page(page, serve(store.root), f"/run/{run.id}?tab=media")
    assert rows(page, "Download weights") == [
        {"from": "0", "to": "0.5", "count": "1"},
        {"from": "0.5", "to": "1", "count": "2"},
    ]
    assert rows(page, "Download predictions") == [{"id": "1", "said": "'=cat"}]
    assert [list(row.values()) for row in rows(page, "Download confusion")] == [["cat", "1", "0"], ["dog", "1", "0"]]
    assert rows(page, "Download roc")[-1] == {"name": "1", "x": "1", "y": "1"}
    assert kept(page, "Download roc", "PNG")[1].startswith(b"\x89PNG")
