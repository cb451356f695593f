"""What pictures and tables show is kept as files, in a real browser."""

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import numpy as np
import pytest

from runlore import Store
from runlore._text import cell_text
from tests.ui.browsing import SWEEP, kept, open_page
from tests.ui.pages.test_readability import serious
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


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


def test_cells_are_changed_as_those_of_export(page: "Page", store: Store, serve: Serve) -> None:
    texts = [
        "=1", "'=1", "''@x", "＝1", "＋1", "－1", "＠x", "\n=1", "\n", "\t", "\t5", "\r=1", "-1e-5", "+.5", "-1_000",
        "-", "- 1", "-0x10", "a=1", "'", "'a", "", "+Infinity",
    ]  # fmt: skip
    open_page(page, serve(store.root), "/")
    made = page.evaluate("async (rows) => (await import('/static/download.js')).csv(rows)", [[text] for text in texts])
    found = [cell for row in csv.reader(io.StringIO(made, newline="")) for cell in row or [""]]
    assert found == [cell_text(text) for text in texts]


def test_all_rows_of_a_table_are_kept_of_which_some_are_shown(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("one") as run:
        run.log_table("many", [{"id": number, "said": "-cat"} for number in range(300)])
    open_page(page, serve(store.root), f"/run/{run.id}?tab=media")
    page.get_by_text("The first 200 rows of 300.").wait_for()
    assert rows(page, "Download many") == [{"id": str(number), "said": "'-cat"} for number in range(300)]


def test_the_tables_of_a_comparison_are_kept_as_csv(page: "Page", store: Store, serve: Serve) -> None:
    for name, lr in (("first", 0.1), ("=second", 0.2)):
        with store.start_run(name, params={"lr": lr}) as run:
            for step in range(3):
                run.log_metrics({"loss": lr * step}, step=step)
    ids = [found.id for found in sorted(store.runs(), key=lambda found: found.started)]
    open_page(page, serve(store.root), f"/compare?runs={ids[0]}&runs={ids[1]}")
    compared = rows(page, "Download compared runs")
    assert [(row["id"], row["name"], row["status"]) for row in compared] == [
        (ids[0], "first", "finished"),
        (ids[1], "'=second", "finished"),
    ]
    assert {"group": "params", "field": "lr", "first": "0.1", "'=second": "0.2"} in rows(page, "Download differences")
    assert rows(page, "Download metrics") == [
        {"metric": "loss", "first": "0.2", "'=second": "0.4", "'=second parts at": "1"}
    ]


def test_models_with_their_versions_and_history_are_kept_as_csv(
    page: "Page", store: Store, serve: Serve, tmp_path: Path
) -> None:
    for content in ("one", "other"):
        (tmp_path / "model.bin").write_text(content)
        with store.start_run("made") as run:
            run.log_artifact(tmp_path / "model.bin", model="digits")
    model = store.model("digits")
    model.set_alias("prod", 2, reason="=better")
    open_page(page, serve(store.root), "/models")
    (listed,) = rows(page, "Download models")
    assert (listed["model"], listed["versions"], listed["aliases"]) == ("digits", "2", "prod 2")
    page.get_by_role("link", name="digits").click()
    versions = rows(page, "Download versions of digits")
    shown = [(row["version"], row["aliases"], row["run"], row["file"], row["size"]) for row in versions]
    ids = [found.id for found in sorted(store.runs(), key=lambda found: found.started)]
    assert shown == [("1", "", ids[0], "model.bin", "3"), ("2", "prod", ids[1], "model.bin", "5")]
    history = rows(page, "Download history of digits")
    assert [(row["change"], row["why"]) for row in history][-1] == ("prod nothing → 2", "'=better")
    assert len(history) == 3


def test_the_files_of_a_run_are_kept_as_csv(page: "Page", store: Store, serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "part.txt").write_text("part")
    (tmp_path / "model.bin").write_text("123")
    with store.start_run("one") as run:
        run.log_artifact(tmp_path / "model.bin", step=4)
        run.log_artifact(folder)
    open_page(page, serve(store.root), f"/run/{run.id}?tab=artifacts")
    found = {row["name"]: row for row in rows(page, "Download files of one")}
    recorded = store.run(run.id).artifact("model.bin")
    model = found["model.bin"]
    assert (model["size"], model["step"], model["sha256"], model["state"]) == ("3", "4", recorded.sha256, "kept")
    assert found["folder/part.txt"]["size"] == "4"


def test_the_tables_of_a_run_are_kept_as_csv(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("parent", params={"lr": 0.1, "=odd": "x,y"}) as run:
        run.log_metrics({"loss": 0.123456789}, 3)
        run.log_summary({"best": 0.1})
        run.log_data("train", np.zeros((7, 2)))
        child = store.start_run("child", parent=run, params={"depth": 2})
        child.log_metrics({"acc": 1 / 3})
        child.finish()
    open_page(page, serve(store.root), f"/run/{run.id}")
    (loss,) = rows(page, "Download metrics of parent")
    assert loss == {"metric": "loss", "last": "0.123456789", "step": "3", "min": "0.123456789", "max": "0.123456789",
                    "points": "1"}  # fmt: skip
    assert rows(page, "Download params of parent") == [
        {"param": "lr", "value": "0.1", "captured": ""},
        {"param": "'=odd", "value": "x,y", "captured": ""},
    ]
    assert rows(page, "Download summary of parent") == [{"name": "best", "value": "0.1"}]
    assert [(row["data"], row["shape"]) for row in rows(page, "Download data of parent")] == [("train", "[7,2]")]
    (only,) = rows(page, "Download children of parent")
    assert (only["name"], only["params.depth"], float(only["metrics.acc"])) == ("child", "2", 1 / 3)
    page.get_by_role("tab", name="Code").click()
    page.locator("summary", has_text="packages").click()
    assert "numpy" in {row["package"] for row in rows(page, "Download packages of parent")}
    assert rows(page, "Download hardware of parent")


def test_what_a_file_finds_is_kept_as_csv(page: "Page", real: Served) -> None:
    run = Store(real.store).run("sweep-0.01-2")
    (model,) = (item for item in run.artifacts if item.name == "model.bin")
    open_page(page, real, f"/find?sha256={model.sha256}")
    (found,) = rows(page, "Download runs that know it")
    assert (found["id"], found["run"], found["relation"], found["models"]) == (run.id, run.name, "wrote", "digits 1")


def test_the_runs_of_a_group_are_kept_as_csv_all_of_them(page: "Page", store: Store, serve: Serve) -> None:
    for number in range(103):
        with store.start_run(f"run-{number}", params={"kind": "a", "seed": number}) as run:
            run.log_metrics({"acc": float(number)})
    open_page(page, serve(store.root), "/?group=params.kind&cols=metrics.acc&over=params.seed")
    page.get_by_role("button", name="Runs of a", exact=True).click()
    page.get_by_text("and 3 more").wait_for()
    assert serious(page) == []
    found = rows(page, "Download runs of a")
    assert {(row["name"], row["params.kind"], row["params.seed"], float(row["metrics.acc"])) for row in found} == {
        (f"run-{number}", "a", str(number), float(number)) for number in range(103)
    }


def test_a_lineage_is_kept_as_csv(page: "Page", store: Store, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_text("123")
    with store.start_run("one") as run:
        run.log_data("train", np.zeros(3))
        run.log_artifact(tmp_path / "model.bin", step=4)
    open_page(page, serve(store.root), f"/run/{run.id}?tab=lineage")
    found = {row["relation"]: row for row in rows(page, "Download lineage")}
    assert (found["read"]["from"], found["read"]["from name"], found["read"]["to id"]) == ("data", "train", run.id)
    assert (found["wrote"]["from name"], found["wrote"]["step"], found["wrote"]["to name"]) == ("one", "4", "model.bin")


@pytest.mark.parametrize(
    ("path", "what", "offer", "words"),
    [
        (f"/?{SWEEP}&cols=metrics.loss", "Download", "Table as SVG", {"name", "status", "loss"}),
        (f"/?{SWEEP}&group=params.lr&cols=metrics.loss", "Download", "Table as SVG", {"lr", "runs", "0.1", "0.001"}),
        (f"/?{SWEEP}&tab=importance&im=metrics.loss", "Download importance loss", "SVG", {"param", "lr", "seed"}),
    ],
)
def test_a_table_is_kept_as_a_picture(
    page: "Page", real: Served, path: str, what: str, offer: str, words: set[str]
) -> None:
    """No control is in it, and of groups and importance nothing that is beyond the edge of their window."""
    open_page(page, real, path)
    page.locator(f"{'.importance' if 'importance' in path else '.left'} tbody tr").nth(1).wait_for()
    file, content = kept(page, what, offer)
    assert file.endswith(".svg")
    root = ElementTree.fromstring(content)
    shown = {"".join(part.itertext()) for part in root.iter("{http://www.w3.org/2000/svg}text")}
    assert words <= shown
    assert "⤓" not in shown
    _, content = kept(page, what, offer.replace("SVG", "PNG"))
    assert content.startswith(b"\x89PNG")


def test_the_picture_of_the_runs_has_all_rows_and_columns(page: "Page", store: Store, serve: Serve) -> None:
    params = {f"param_{number}": number for number in range(12)}
    for number in range(120):
        store.start_run(f"run-{number:03}", params=params | {"seed": number}).finish(
            "failed" if number == 0 else "finished"
        )
    page.set_viewport_size({"width": 1024, "height": 600})
    columns = "&".join(f"cols=params.{name}" for name in [*params, "seed"])
    open_page(page, serve(store.root), f"/?{columns}")
    page.locator(".runs tbody tr").nth(5).wait_for()
    page.locator(".left .scroll").evaluate("node => { node.scrollTop = 700; }")
    _, content = kept(page, "Download", "Table as SVG")
    root = ElementTree.fromstring(content)
    shown = ["".join(part.itertext()) for part in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {name for name in shown if name.startswith("run-")} == {f"run-{number:03}" for number in range(120)}
    assert {"seed", "param_11"} <= set(shown)
    signs = [
        part.get("rx") for part in root.iter("{http://www.w3.org/2000/svg}rect") if part.get("width") in ("7", "8")
    ]
    assert set(signs) >= {"1", "4.5"}, set(signs)  # of what failed, and of what finished
    assert page.locator(".left .scroll").evaluate("node => [node.scrollTop, node.style.height].join()") == "700,"
