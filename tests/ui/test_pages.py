"""A run, a comparison, a file that is looked for; themes, names for screen readers, and texts that would be markup."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from tests.ui.serving import Served, run_script
from tests.ui.test_runs_page import SWEEP, open_page, plot_of, query, until, wait_names

if TYPE_CHECKING:
    from playwright.sync_api import Page


def run_id(served: Served, where: str) -> str:
    return Store(served.store).runs(where)[0].id


def lightning(served: Served) -> str:
    return run_id(served, 'tags.integration == "lightning"')


# A run


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


# Comparing


def test_two_runs_are_compared_on_a_page(page: "Page", real: Served) -> None:
    one, other = (run.id for run in Store(real.store).runs('tags.integration == "lightning" and params.lr < 0.01'))
    open_page(page, real, f"/compare?runs={other}&runs={one}")
    page.locator(".code .added", has_text="+    for lr in (3e-3, 1e-2):").wait_for()
    page.locator(".code .removed", has_text="-    for lr in (1e-3, 1e-2):").wait_for()
    groups = page.locator(".group-name").all_inner_texts()
    assert groups[:2] == ["Params", "Code"]
    row = page.get_by_role("row", name="val_acc", exact=False).last.inner_text()
    assert len(row.split()) == 4
    plot_of(page, "val_acc")


def test_several_runs_are_compared_with_the_first(page: "Page", real: Served) -> None:
    open_page(page, real, f"/?{SWEEP}")
    wait_names(page, lambda found: len(found) == 12)
    for name in ("sweep-0.1-1", "sweep-0.1-3", "sweep-0.01-1"):
        page.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Compare").click()
    row = page.locator("tbody tr", has=page.locator("td.mono", has_text="lr"))
    row.first.wait_for()
    assert row.first.inner_text().split() == ["lr", "0.1", "0.1", "0.01"]
    assert len(query(page)["runs"]) == 3
    page.get_by_role("button", name="Make it the baseline").nth(1).click()
    until(
        page, f"new URLSearchParams(location.search).getAll('runs')[0] === '{Store(real.store).run('sweep-0.01-1').id}'"
    )
    page.get_by_text("baseline", exact=True).wait_for()
    page.get_by_role("link", name="Compare").click()
    page.get_by_text("Select from two to ten runs").wait_for()


# Finding by file


def test_a_dropped_file_opens_the_run_that_made_it(page: "Page", real: Served, tmp_path: Path) -> None:
    run = Store(real.store).run("sweep-0.01-2")
    run.artifact("model.bin").restore(tmp_path)
    (tmp_path / "model.bin").rename(tmp_path / "deployed.weights")
    open_page(page, real)
    drop(page, tmp_path / "deployed.weights")
    page.get_by_role("heading", name="sweep-0.01-2").wait_for()
    page.get_by_text("This run made the file that you dropped").wait_for()
    assert page.locator("tr.picked td").first.inner_text() == "model.bin"


def test_a_file_of_no_run_gets_the_command_that_looks_deeper(page: "Page", real: Served, tmp_path: Path) -> None:
    (tmp_path / "un known.bin").write_bytes(b"nobody wrote this")
    open_page(page, real, "/find")
    page.get_by_label("A file to look for").set_input_files(tmp_path / "un known.bin")
    page.get_by_text("No run has a file with this content").wait_for()
    page.get_by_text("runlore which-run 'un known.bin'").wait_for()
    assert query(page)["sha256"] == [hashlib.sha256(b"nobody wrote this").hexdigest()]


def test_a_hash_that_several_runs_know_lists_them(page: "Page", real: Served) -> None:
    sha256 = Store(real.store).run("sweep-0.01-2").artifact("scores.csv").sha256
    open_page(page, real, "/find")
    page.get_by_role("textbox", name="A sha256").fill(str(sha256)[:12])
    page.get_by_role("button", name="Find", exact=True).click()
    page.locator("tbody tr").nth(11).wait_for()
    page.get_by_role("textbox", name="A sha256").fill("nonsense")
    assert page.evaluate("location.pathname") == "/find"


def test_a_file_of_more_than_a_gigabyte_gets_the_command(page: "Page", real: Served, tmp_path: Path) -> None:
    with (tmp_path / "large.ckpt").open("wb") as file:
        file.truncate((1 << 30) + 1)  # without taking room
    open_page(page, real, "/find")
    page.get_by_label("A file to look for").set_input_files(tmp_path / "large.ckpt")
    page.get_by_text("runlore which-run large.ckpt").wait_for()
    assert "is more than a browser can hash" in page.locator(".sheet").inner_text()


def drop(page: "Page", path: Path) -> None:
    """As if a person let a file go over the page."""
    page.evaluate(
        """([name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            for (const type of ["dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(type, {dataTransfer: data, bubbles: true, cancelable: true}));
        }""",
        [path.name, list(path.read_bytes())],
    )


# What is foreign is text


EVERYWHERE = [
    "/", "/?all=1&tab=scatter&q=status+%3D%3D+%22failed%22", "/?q=status+%3D%3D+%22failed%22&group=tags.x",
    "/?q=status+%3D%3D+%22failed%22&tab=parallel", "/run/EVIL", "/run/EVIL?tab=charts", "/run/EVIL?tab=artifacts",
    "/run/EVIL?tab=code", "/run/EVIL?tab=output", "/run/EVIL?tab=lineage", "/compare?runs=EVIL&runs=OTHER",
    "/find?sha256=SHA",
]  # fmt: skip


@pytest.mark.parametrize("path", EVERYWHERE)
def test_nothing_that_a_run_recorded_is_markup(page: "Page", real: Served, path: str) -> None:
    """The page's fixture tells whether something ran."""
    evil = Store(real.store).runs('status == "failed"')[0]
    sha256 = str(next(item for item in evil.artifacts if item.name.endswith(".html")).sha256)
    path = path.replace("EVIL", evil.id).replace("OTHER", run_id(real, 'name == "sweep-0.1-1"')).replace("SHA", sha256)
    open_page(page, real, path)
    page.locator("main .page *").first.wait_for()
    if "artifacts" in path:
        for place in range(page.get_by_role("button", name="Look").count()):
            page.get_by_role("button", name="Look").nth(place).click()
        page.get_by_text("<img src=x", exact=False).first.wait_for()
    page.wait_for_timeout(400)  # for what would run late
    markup = "main script, main [onerror], main img:not(.picture), main b[onclick]"
    assert page.locator(markup).count() == 0


def test_bidirectional_and_control_characters_are_seen(
    page: "Page", store: Store, serve: Callable[..., Served]
) -> None:
    with store.start_run("a\u202ereversed\x07"):
        pass
    open_page(page, serve(store.root))
    wait_names(page, lambda found: found == ["a\\u202ereversed\\u0007"])


# For everybody


PAGES = [
    "/", f"/?{SWEEP}&sel=FIRST&sel=SECOND", "/?group=params.lr", "/?tab=scatter", f"/?{SWEEP}&tab=parallel",
    *[f"/run/LIGHTNING?tab={tab}" for tab in ("overview", "charts", "artifacts", "code", "output", "lineage")],
    "/compare?runs=FIRST&runs=SECOND", "/compare", "/find",
]  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing_serious(page: "Page", real: Served, path: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    first, second = (run.id for run in Store(real.store).runs('experiment == "sweep"', limit=2))
    path = path.replace("FIRST", first).replace("SECOND", second).replace("LIGHTNING", lightning(real))
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, real, path)
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    page.wait_for_timeout(600)
    found = Axe().run(page).response["violations"]
    serious = [
        (item["id"], [node["html"][:160] for node in item["nodes"][:3]])
        for item in found
        if item["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_an_address_that_leads_nowhere_says_so(page: "Page", real: Served) -> None:
    open_page(page, real)
    page.evaluate("history.pushState(null, '', '/nowhere'); dispatchEvent(new PopStateEvent('popstate'))")
    page.get_by_text("There is no such page").wait_for()
    assert real.request("GET", "/nowhere").status == 404


def test_the_theme_is_chosen_and_remembered(page: "Page", real: Served) -> None:
    page.emulate_media(color_scheme="light")
    open_page(page, real, f"/?{SWEEP}")
    plot_of(page, "val/acc")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.get_by_role("button", name="Light or dark").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_narrow_window_is_readable(page: "Page", real: Served) -> None:
    page.set_viewport_size({"width": 1024, "height": 700})
    for path in (f"/?{SWEEP}", f"/run/{lightning(real)}", "/find"):
        open_page(page, real, path)
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1024


def test_a_search_and_its_candidates_are_readable_in_a_narrow_window(page: "Page", real: Served) -> None:
    """No name is broken over lines, and no table lies over what is beside it."""
    page.set_viewport_size({"width": 1024, "height": 700})
    open_page(page, real, "/run/" + run_id(real, 'tags.estimator == "GridSearchCV"'))
    page.get_by_role("heading", name="Children").wait_for()
    heights = page.locator("tbody a[data-inside]").evaluate_all("all => all.map(one => one.getClientRects().length)")
    assert heights
    assert set(heights) == {1}
    edges = "all => all.map(one => one.getBoundingClientRect().right)"
    assert max(page.locator(".columns2 table").evaluate_all(edges)) <= 1024


def test_an_empty_store_says_what_to_type(page: "Page", tmp_path: Path, serve: Callable[..., Served]) -> None:
    served = serve(tmp_path / ".runlore")
    open_page(page, served)
    page.get_by_text("runlore run train.py").wait_for()
    run_script(tmp_path / ".runlore", "-c", "import runlore\nwith runlore.start_run('first'): pass", folder=tmp_path)
    wait_names(page, lambda found: found == ["first"])
