"""The jobs that people have a tracker for, each done from the front of the page with no more than others need.

Those that change something are in `test_jobs_of_writers`. Left out are alerts, traces, and accounts of several users,
which the page does not have.
"""

import csv
import io
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from runlore import Store
from tests.ui.browsing import data_of, dots, lightning, names, plot_of, query, until, wait_names, wait_plot
from tests.ui.colour_sight import difference
from tests.ui.counting import MLFLOW, TRACKIO, WANDB, Job, User
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page

ACC = 'metrics["val/acc"]'


def best_of_a_sweep(user: User) -> None:
    user.experiment("sweep", 12)
    user.click(user.page.get_by_role("button", name=f"Last, min or max of {ACC}"))
    user.button("highest first")
    order = [run.name for run in user.store.runs('experiment == "sweep"', sort=f"-{ACC}.max")]
    wait_names(user.page, lambda found: found == order)
    first = user.page.locator("tr[data-run]").first.inner_text().split()
    assert f"{user.store.run(order[0]).metrics['val/acc'].max:.5g}" in first
    assert f"{user.store.run(order[0]).params['lr']:g}" in first


def five_curves_smoothed(user: User) -> None:
    user.experiment("sweep", 12)
    five = names(user.page)[:5]
    user.tick(five[0])
    user.tick(five[4], modifiers=["Shift"])
    user.click(user.page.get_by_role("slider", name="smoothing"), position={"x": 50, "y": 8})
    until(user.page, "Number(new URLSearchParams(location.search).get('smooth')) > 0.5")
    plot_of(user.page, "val/loss")
    wait_plot(user.page, "val/loss", "plot.data.length === 10")  # behind each one its points
    drawn = [trace for trace in data_of(user.page, "val/loss") if trace["name"]]
    assert sorted({trace["name"] for trace in drawn}) == sorted(five)
    assert {trace["color"] for trace in drawn} == set(dots(user.page)[:5])


def why_one_is_worse(user: User) -> None:
    pair = user.store.runs('tags.integration == "lightning" and parent is None', sort="started")
    for run in (pair[0], pair[-1]):
        user.click(user.page.locator(f"tr[data-run='{run.id}']").get_by_role("checkbox"))
    user.button("Compare")
    user.page.get_by_text("3e-3, 1e-2").first.wait_for()  # the line of code, which nobody has committed


def shape_of_a_sweep(user: User) -> None:
    user.experiment("sweep", 12)
    user.tab("Parallel")
    user.page.locator(".js-plotly-plot .points .point").nth(11).wait_for()
    user.drag(".js-plotly-plot .nsewdrag", (0.005, 0.005), (0.15, 0.3))
    user.page.get_by_text(" selected").first.wait_for()
    assert 0 < len(query(user.page)["sel"]) < 12


def params_that_count(user: User) -> None:
    user.experiment("sweep", 12)
    user.tab("Importance")
    user.page.get_by_role("cell", name="lr").or_(user.page.get_by_text("lr", exact=True)).first.wait_for()


def zoom_in_logarithms(user: User) -> None:
    user.experiment("sweep", 12)
    plot_of(user.page, "loss")
    whole = max(len(trace["x"]) for trace in data_of(user.page, "loss"))
    user.drag(".card[data-key=loss] .nsewdrag", (0.55, 0.1), (0.65, 0.1))
    wait_plot(user.page, "loss", "plot.data[0].x[0] > 1000")
    user.button("Axes")
    user.click(user.page.get_by_role("checkbox", name="log y"))
    wait_plot(user.page, "loss", "plot.layout.yaxis.type === 'log'")
    drawn = [trace for trace in data_of(user.page, "loss") if trace["name"]]
    for trace in drawn:
        assert trace["x"] == list(range(int(trace["x"][0]), int(trace["x"][-1]) + 1)), "every step is there"
        assert len(trace["x"]) < whole
    (peak,) = [trace for trace in drawn if max(trace["y"]) > 5]
    assert peak["x"][int(np.argmax(peak["y"]))] == 1777


def find_by_a_word(user: User) -> None:
    user.click(user.page.get_by_role("combobox"))
    user.type("sweep-0.1")
    user.press("Enter")
    wait_names(user.page, lambda found: found == [f"sweep-0.1-{seed}" for seed in (3, 2, 1, 0)])


def group_over_seeds(user: User) -> None:
    user.experiment("sweep", 12)
    user.button("Group by")
    user.click(user.page.get_by_role("checkbox", name="params.lr"))
    rows = user.page.locator(".groups tbody tr")
    rows.nth(2).wait_for()
    assert "±" in rows.first.inner_text()
    plot_of(user.page, "val/acc")
    wait_plot(user.page, "val/acc", "plot.data.filter(trace => trace.fill === 'tonexty').length === 3")


def share_a_view(user: User) -> None:
    best_of_a_sweep(user)
    mine = names(user.page)
    user.button("Views")
    user.type("best")
    user.press("Enter")
    user.page.get_by_role("button", name="best", exact=True).wait_for()
    other = user.page.context.new_page()
    other.goto(user.page.url)  # as somebody opens it who was sent the address, and may see the page
    assert wait_names(other, lambda found: len(found) == 12) == mine
    other.close()


def one_of_many_metrics(user: User) -> None:
    user.click(
        user.page.get_by_role("searchbox", name="Find a metric").or_(user.page.get_by_placeholder("find a metric"))
    )
    user.type("layers.77.*norm")
    until(user.page, "document.querySelectorAll('.card').length === 1")
    plot_of(user.page, "layers.77.norm")


def media_by_step(user: User) -> None:
    user.tab("Media")
    samples = user.page.locator("[data-media=samples]")
    samples.get_by_text("one 20").wait_for()
    user.click(user.page.get_by_role("slider", name="Step"), position={"x": 2, "y": 8})
    for name in ("one 0", "two 0"):
        samples.get_by_text(name, exact=True).wait_for()


def keep_a_chart(user: User) -> None:
    plot_of(user.page, "val/acc")
    user.click(user.page.get_by_role("button", name="Download val/acc"))
    with user.page.expect_download() as waiting:
        user.button("CSV")
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert {row["run"] for row in rows} <= {run.id for run in user.store.runs()}
    assert len(rows) > 10


def keep_the_table(user: User) -> None:
    user.button("Download")
    with user.page.expect_download() as waiting:
        user.button("Table as CSV")
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_text())))
    assert len(rows) == len(names(user.page))


def the_machine(user: User) -> None:
    user.link("resumed")
    user.tab("Charts")
    plot_of(user.page, "system/cpu_percent")
    wait_plot(user.page, "system/cpu_percent", "plot.data[0].y.at(-1) === 69")


def what_it_printed(user: User) -> None:
    user.link("sweep-0.1-1")
    user.tab("Output")
    user.page.get_by_text("the last line of sweep-0.1-1").wait_for()


def code_and_environment(user: User) -> None:
    run = user.store.run(lightning(user.served))
    user.link(run.name)
    user.tab("Code & environment")
    user.page.get_by_text(run.environment["git"]["commit"]).wait_for()
    user.page.locator(".code .added", has_text="3e-3").wait_for()
    user.click(user.page.locator("summary", has_text="packages"))
    user.page.get_by_text("pytorch-lightning").first.wait_for()


def lineage(user: User) -> None:
    user.link(user.store.run(lightning(user.served)).name)
    user.tab("Lineage")
    user.page.locator(".graph .node").nth(2).wait_for()


def what_is_prod(user: User) -> None:
    user.link("Models")
    user.link("digits")
    shown = user.page.get_by_role("region", name="Versions")
    shown.get_by_text("prod").wait_for()
    assert "better on dark images" in user.page.get_by_role("region", name="History").inner_text()


def run_of_a_file(user: User) -> None:
    kept = user.store.run("sweep-0.01-2").artifact("model.bin").restore(user.served.store.parent / "deployed")
    user.drop(kept)
    user.page.get_by_role("heading", name="sweep-0.01-2").wait_for()
    assert user.page.locator("tr.picked td").first.inner_text() == "model.bin"


def why_it_failed(user: User) -> None:
    user.click(user.page.locator("tr[data-run]", has=user.page.locator(".status.failed")).get_by_role("link"))
    user.page.locator(".error pre", has_text="Traceback").wait_for()
    assert user.page.locator(".error pre").is_visible()


def compare_by_keys(user: User) -> None:
    user.press("/")
    user.type("sweep-0.1")
    user.press("Enter")
    wait_names(user.page, lambda found: len(found) == 4)
    user.press("ArrowDown", "j", "Space", "j", "Space")
    until(user.page, "new URLSearchParams(location.search).getAll('sel').length === 2")
    user.press("c")
    user.page.wait_for_url("**/compare?*")


def a_dark_page(user: User) -> None:
    user.page.emulate_media(color_scheme="light")
    user.click(user.page.get_by_role("button", name="Light or dark"))
    until(user.page, "document.documentElement.dataset.theme === 'dark'")
    plot = "document.querySelector('.js-plotly-plot .main-svg')"
    until(user.page, f"{plot} && getComputedStyle(document.body).backgroundColor !== 'rgb(255, 255, 255)'")


def the_best_on_a_phone(user: User) -> None:
    user.page.set_viewport_size({"width": 390, "height": 800})
    best_of_a_sweep(user)
    assert user.page.evaluate("document.documentElement.scrollWidth") <= 390


def colours_for_all(user: User) -> None:
    wait_names(user.page, bool)
    until(user.page, "document.querySelectorAll('.runs tbody .dot').length >= 8")
    assert min(difference(one, other) for one, other in itertools.combinations(dots(user.page)[:8], 2)) > 7


def nothing_in_the_way_of_a_screen_reader(user: User) -> None:
    from axe_playwright_python.sync_playwright import Axe

    plot_of(user.page, "val/acc")
    found = Axe().run(user.page).response["violations"]
    assert [item["id"] for item in found if {"wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"} & set(item["tags"])] == []


def sort_ten_thousand(user: User) -> None:
    wait_names(user.page, bool)
    user.button("loss")
    order = [run.name for run in user.store.runs(sort="-metrics.loss", limit=20)]
    wait_names(user.page, lambda found: found[:20] == order)


def begin(user: User) -> None:
    user.page.get_by_text("No runs yet").wait_for()
    user.page.get_by_text("runlore run train.py").wait_for()


JOBS = [
    Job("best run of a sweep", 3, 7, f"{MLFLOW}, counted, and there the last value only", best_of_a_sweep),
    Job("five curves, smoothed", 7, 0, f"{TRACKIO}, counted", five_curves_smoothed),
    Job("why is B worse than A", 4, 0, f"{WANDB}: project, two ticks, the panel of code", why_one_is_worse),
    Job("sweep's shape", 3, 0, f"{WANDB}: project, sweep, a filter", shape_of_a_sweep),
    Job("which params count", 2, 0, f"{WANDB}: project, sweep", params_that_count),
    Job("zoom, log", 5, 0, f"{WANDB}: project, a drag, edit the panel, log, close", zoom_in_logarithms),
    Job("filter", 1, len("sweep-0.1") + 1, f"{TRACKIO}: the box; the word", find_by_a_word),
    Job("group over seeds", 3, 0, f"{WANDB}: project, group, the param", group_over_seeds),
    Job("save and share a view", 6, len("best") + 1, f"{MLFLOW}: three, views, save, save; a name", share_a_view),
    Job("500 metrics", 2, len("layers.77.*norm"), f"{WANDB}: project, the box; the words", one_of_many_metrics, "rich"),
    Job("media by step", 2, 0, f"{WANDB}: project, the slider", media_by_step, "rich"),
    Job("download of a chart", 2, 0, f"{TRACKIO}: project, the button", keep_a_chart),
    Job("download of the table", 2, 0, f"{MLFLOW}: experiment, the button", keep_the_table),
    Job("system metrics", 2, 0, f"{TRACKIO}: project, the tab", the_machine),
    Job("output", 2, 0, f"{WANDB}: run, logs", what_it_printed),
    Job("code and environment", 3, 0, f"{WANDB}: run, files, one of them", code_and_environment),
    Job("lineage", 3, 0, f"{WANDB}: run, artifacts, lineage", lineage),
    Job("models and aliases", 2, 0, f"{MLFLOW}: models, the name", what_is_prod),
    Job("run of a file", 1, 0, "nobody else has it: one drop", run_of_a_file),
    Job("why it failed", 2, 0, f"{WANDB}: run, logs", why_it_failed),
    Job("by the keyboard alone", 0, len("/sweep-0.1") + 7, "nobody else was tried: a word, two ticks", compare_by_keys),
    Job("dark mode", 1, 0, f"{MLFLOW}: the switch", a_dark_page),
    Job("phone", 3, 7, f"{TRACKIO}, which has no such job: as on a desk", the_best_on_a_phone),
    Job("colours for the colour-blind", 2, 0, f"{WANDB}: settings, a palette", colours_for_all),
    Job("screen readers", 0, 0, "nobody else is without violations", nothing_in_the_way_of_a_screen_reader),
    Job("10,000 runs sorted", 2, 0, f"{WANDB}: project, the column", sort_ten_thousand, "many"),
    Job("an empty store", 0, 0, f"{MLFLOW}: says what to do", begin, "empty"),
]  # fmt: skip


@pytest.fixture(scope="package")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Two runs with media by step, and one with 500 metrics."""
    store = Store(tmp_path_factory.mktemp("rich") / "store")
    for name in ("one", "two"):
        with store.start_run(name) as run:
            for step in (0, 10, 20):
                run.log_media(
                    "samples", np.full((8, 8, 3), step * 10, dtype=np.uint8), step=step, caption=f"{name} {step}"
                )
            for step in range(3):
                run.log_metrics(
                    {f"layers.{layer}.{what}": step / (layer + 1) for layer in range(250) for what in ("norm", "std")},
                    step,
                )
    served = Served(store.root)
    yield served
    served.end()


@pytest.fixture
def empty(tmp_path: Path, serve: Serve) -> Served:
    return serve(tmp_path / "empty")


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_job_takes_no_more_than_elsewhere(page: "Page", request: pytest.FixtureRequest, job: Job) -> None:
    job.check(page, request.getfixturevalue(job.at))
