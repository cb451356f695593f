"""The page of a run in a real browser."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import lightning, open_page, plot_of, run_id, until, wait_names
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_a_run_is_shown_in_full(page: "Page", real: Served) -> None:
    run = Store(real.store).run(lightning(real))
    open_page(page, real, f"/run/{run.id}")
    page.get_by_role("heading", name=run.name).wait_for()
    text = page.locator(".sheet").inner_text()
    for word in ("val_acc", "optimizer.lr", "torch.Tensor, 1797 × 64, float32", f"runlore reproduce {run.id}"):
        assert word in text
    page.get_by_role("button", name="Copy: runlore reproduce").click()
    until(page, f"navigator.clipboard.readText().then(text => text === 'runlore reproduce {run.id}')")
    page.get_by_role("searchbox", name="Find a param").fill("max_epochs")
    assert page.locator("dl.facts dt").all_inner_texts() == ["trainer.max_epochs"]


def test_a_part_of_an_id_or_a_name_leads_to_the_run(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/sweep-0.1-1")
    page.get_by_role("heading", name="sweep-0.1-1").wait_for()
    assert page.evaluate("location.pathname") == f"/run/{Store(real.store).run('sweep-0.1-1').id}"


def test_checkpoints_have_roles_and_are_downloaded(page: "Page", real: Served, tmp_path: Path) -> None:
    run = Store(real.store).run(lightning(real))
    open_page(page, real, f"/run/{run.id}?tab=artifacts")
    row = page.locator("tbody tr", has_text="best").first
    row.wait_for()
    with page.expect_download() as waiting:
        row.get_by_role("link", name="Download").click()
    waiting.value.save_as(tmp_path / "got.ckpt")
    best = run.artifact("best")
    assert hashlib.sha256((tmp_path / "got.ckpt").read_bytes()).hexdigest() == best.sha256
    assert waiting.value.suggested_filename == best.name


def test_files_are_looked_into(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/sweep-0.1-1?tab=artifacts")
    page.get_by_role("button", name="Look into confusion_matrix.json").click()
    page.get_by_role("img", name="Heat map of confusion_matrix.json").locator(
        ".hm, .heatmaplayer image"
    ).first.wait_for()
    page.get_by_role("button", name="Look into scores.csv").click()
    page.get_by_role("cell", name="second", exact=True).wait_for()
    page.get_by_role("button", name="Look into circle.svg").click()
    picture = page.get_by_role("img", name="circle.svg")
    picture.wait_for()
    until(page, "document.querySelector('img.picture').naturalWidth === 80")
    page.get_by_role("button", name="Look into model.bin").click()
    page.get_by_text("weights of ").wait_for()


def test_code_and_environment_are_shown(page: "Page", real: Served) -> None:
    run = Store(real.store).run(lightning(real))
    open_page(page, real, f"/run/{run.id}?tab=code")
    page.get_by_text(run.environment["git"]["commit"]).wait_for()
    page.locator("summary", has_text="packages").click()
    page.get_by_text("pytorch-lightning").first.wait_for()
    page.locator(".code .added", has_text="3e-3").wait_for()


def test_output_lineage_and_error_are_shown(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/sweep-0.1-1?tab=output")
    page.get_by_text("the last line of sweep-0.1-1").wait_for()
    open_page(page, real, f"/run/{lightning(real)}?tab=lineage")
    page.locator("ul.tree li", has_text="wrote at step").first.wait_for()
    assert page.locator("ul.tree li").first.inner_text().startswith("data ")


def test_a_failed_run_shows_its_traceback(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/" + run_id(real, 'status == "failed"'))
    page.locator(".error pre", has_text="Traceback").wait_for()
    assert "RuntimeError" in page.locator(".error").inner_text()


def test_a_run_that_was_resumed_shows_its_segments(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/resumed")
    page.get_by_role("heading", name="Segments").wait_for()
    rows = (
        page.locator("section", has=page.get_by_role("heading", name="Segments")).locator("tbody tr").all_inner_texts()
    )
    assert ["crashed" in rows[0], "from step" in rows[1], "finished" in rows[1]] == [True, True, True]
    assert "best_loss" in page.locator("section", has=page.get_by_role("heading", name="Summary")).inner_text()


def test_the_machine_has_charts_of_its_own(page: "Page", real: Served) -> None:
    open_page(page, real, "/run/resumed?tab=charts")
    plot_of(page, "system/cpu_percent")
    assert page.locator("details", has_text="System metrics").locator(".card").count() == 1


def test_the_charts_library_is_loaded_only_for_charts(page: "Page", real: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_page(page, real, "/find")
    open_page(page, real, f"/run/{lightning(real)}")
    page.get_by_role("heading", name="Metrics").wait_for()
    page.wait_for_timeout(300)
    assert not [url for url in asked if "plotly" in url]
    page.get_by_role("tab", name="Charts").click()
    plot_of(page, "val_acc")
    assert [url for url in asked if "plotly" in url] == [f"{real.base}/plotly.min.js"]


def test_children_and_parents_are_linked(page: "Page", real: Served) -> None:
    search = Store(real.store).runs('tags.estimator == "GridSearchCV"')[0]
    open_page(page, real, f"/run/{search.id}")
    page.get_by_role("heading", name="Children").wait_for()
    page.get_by_role("link", name="candidate-1", exact=True).click()
    page.get_by_text("part of").wait_for()
    page.get_by_role("link", name=search.name).click()
    page.get_by_role("heading", name=search.name).wait_for()


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


LIVE = """
import runlore, sys
with runlore.start_run("talks") as run:
    for step, line in enumerate(sys.stdin):
        print("heard", line.strip(), flush=True)
        run.log_metrics({"loss": float(step)}, step)
"""


def test_output_and_charts_follow_a_run_that_still_trains(
    page: "Page", store: Store, serve: Callable[..., Served], tmp_path: Path
) -> None:
    served = serve(store.root)
    settings = {**os.environ, "RUNLORE_STORE": str(store.root), "RUNLORE_OUTPUT": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", LIVE],
        env=settings,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    )
    assert process.stdin is not None

    def say(word: str) -> None:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n")
        process.stdin.flush()

    try:
        say("one")
        open_page(page, served)
        wait_names(page, lambda found: found == ["talks"])
        page.get_by_role("link", name="talks").click()
        page.get_by_role("tab", name="Output").click()
        page.get_by_text("heard one").wait_for()
        say("two")
        page.get_by_text("heard two").wait_for()
        page.get_by_role("tab", name="Charts").click()
        plot_of(page, "loss")
        say("three")
        until(page, "document.querySelector(`.card[data-key='loss'] .plot`).data[0].y.length === 3")
        process.stdin.close()
        page.locator(".run-head .status.finished").wait_for()
    finally:
        process.kill()
        process.wait()
