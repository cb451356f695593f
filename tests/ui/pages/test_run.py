"""The page of one run in a real browser."""

import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.forged import ForgedStore
from tests.ui.browsing import (
    SWEEP,
    lightning,
    open_page,
    plot_of,
    run_id,
    until,
    wait_names,
)
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route


LIVE = """
import runlore, sys
with runlore.start_run("talks") as run:
    for step, line in enumerate(sys.stdin):
        print("heard", line.strip(), flush=True)
        run.log_metrics({"loss": float(step)}, step)
"""


def test_a_run_is_shown_in_full(page: "Page", real: Served) -> None:
    run = Store(real.store).run(lightning(real))
    open_page(page, real, f"/run/{run.id}")
    page.get_by_role("heading", name=run.name).wait_for()
    text = page.locator(".sheet").inner_text()
    for word in ("val_acc", "optimizer.lr", "torch.Tensor, 1797 × 64, float32", f"runlore reproduce {run.id}"):
        assert word in text
    table = page.locator("section", has=page.get_by_role("heading", name="Metrics")).locator("table")
    assert table.locator("thead th").all_inner_texts() == ["last", "step", "min", "max", "points"]
    row = table.locator("tbody tr", has_text="val_acc").locator("td").all_inner_texts()
    assert row[2] == str(run.metrics["val_acc"].last_step)
    page.get_by_role("button", name="Copy: runlore reproduce").click()
    until(page, f"navigator.clipboard.readText().then(text => text === 'runlore reproduce {run.id}')")
    page.get_by_role("searchbox", name="Find a param").fill("max_epochs")
    until(page, "document.querySelectorAll('dl.facts dt').length === 1")
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
    page.get_by_text("As a list").click()
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


def test_output_and_charts_follow_a_run_that_still_trains(
    page: "Page", store: Store, serve: Serve, tmp_path: Path
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


def test_output_is_shown_once(page: "Page", real: Served) -> None:
    """Two looks at the same time, the first of which is slow."""

    def slow(route: "Route") -> None:
        time.sleep(0.3)
        route.continue_()

    page.route(re.compile("/output"), slow)
    open_page(page, real, "/run/sweep-0.1-1?tab=output")
    page.get_by_text("the last line of sweep-0.1-1").wait_for()
    page.wait_for_timeout(900)
    assert page.locator(".output").inner_text().count("the last line") == 1


def test_a_look_into_a_file_stays_open_while_a_run_goes_on(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("live") as run:
        run.run_log.keep_bytes(b"inside", name="a.txt", kind="report")
        served = serve(store.root)
        page.goto(f"{served.base}/run/{run.id}?tab=artifacts&token={served.token}")
        page.get_by_role("button", name="Look into a.txt").click()  # before the page listens, maybe
        for step in range(3):
            run.log_metrics({"loss": 1.0}, step)
            page.wait_for_timeout(600)
        assert page.get_by_text("inside", exact=True).is_visible()
        run.run_log.keep_bytes(b"more", name="b.txt", kind="report")
        page.get_by_role("button", name="Look into b.txt").wait_for()


def test_labels_that_are_the_same_hide_no_cell(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("a") as run:
        run.run_log.keep_bytes(b'{"matrix": [[1, 2], [3, 4]], "labels": ["a", "a"]}', name="m.json", kind="report")
    open_page(page, serve(store.root), f"/run/{run.id}?tab=artifacts")
    page.get_by_role("button", name="Look into m.json").click()
    page.locator(".heatmap-label").nth(3).wait_for()
    assert sorted(page.locator(".heatmap-label").all_text_contents()) == ["1", "2", "3", "4"]


def test_names_that_objects_have_are_names(page: "Page", real: Served) -> None:
    for path in ("/run/sweep-0.1-1?tab=constructor", "/run/sweep-0.1-1?tab=__proto__"):
        open_page(page, real, path)
        page.get_by_role("tab", name="Overview", selected=True).wait_for()
    open_page(page, real, f"/?{SWEEP}&tab=toString")
    page.get_by_role("tab", name="Curves", selected=True).wait_for()


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("git@git.lab.example:group/digits.git", "https://git.lab.example/group/digits/commit/"),
        ("https://git.lab.example/group/digits", "https://git.lab.example/group/digits/commit/"),
        ("javascript:alert(1)//a.b/c", None),
        ("/srv/git/digits.git", None),
    ],
)
def test_a_commit_is_a_link_to_where_it_came_from(
    page: "Page", tmp_path: Path, serve: Serve, remote: str, address: str | None
) -> None:
    forged = ForgedStore(tmp_path / "store")
    facts = {"commit": "a1" * 20, "remote": remote}
    run = forged.run([{"type": "environment", "sections": {"git": {"sha256": "ab" * 32, "values": facts}}}])
    open_page(page, serve(forged.root), f"/run/{run}?tab=code")
    page.get_by_text(remote, exact=True).wait_for()
    links = page.get_by_role("link", name="This commit at").all()
    assert [link.get_attribute("href") for link in links] == ([f"{address}{'a1' * 20}"] if address else [])


def test_the_source_of_a_script_is_shown_as_it_ran(page: "Page", real: Served) -> None:
    run = Store(real.store).run(lightning(real))
    open_page(page, real, f"/run/{run.id}?tab=code")
    source = page.get_by_role("region", name="Source of lightning_digits.py")
    source.locator("div").first.wait_for()
    lines = source.locator("div").all_inner_texts()
    told = real.get(f"/api/runs/{run.id}/source")
    assert "\n".join(line if line.strip() else "" for line in lines) == told["text"].rstrip("\n")
    assert any("3e-3, 1e-2" in line for line in lines), "the change was not committed"
    commit = run.environment["git"]["commit"]
    assert (
        page.locator("h2", has_text="lightning_digits.py")
        .inner_text()
        .endswith(f"as of commit {commit[:10]}, with the uncommitted changes")
    )
    assert source.locator("div").nth(1).evaluate("one => getComputedStyle(one, '::before').content") == "counter(line)"
    open_page(page, real, "/run/sweep-0.1-1?tab=code")
    page.get_by_role("region", name="Source of sweep.py").wait_for()
    assert page.locator("h2", has_text="sweep.py").inner_text() == "sweep.py as the store has kept it"


def test_a_source_that_is_not_there_is_accounted_for(page: "Page", tmp_path: Path, serve: Serve) -> None:
    forged = ForgedStore(tmp_path / "forged")
    run = forged.run(opening={"script": "/nowhere/<b>train.py"})
    open_page(page, serve(forged.root), f"/run/{run}?tab=code")
    page.get_by_text("Its source can't be shown: there was no repository").wait_for()
    page.get_by_role("heading", name="/nowhere/<b>train.py").wait_for()
