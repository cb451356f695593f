"""Media by step in a real browser: one run, several beside each other."""

from typing import TYPE_CHECKING

import numpy as np

from runlore import Store
from runlore.ui.media import MAX_KEYS
from tests.ui.browsing import open_page, query, until
from tests.ui.serving import Serve

if TYPE_CHECKING:
    from playwright.sync_api import Page


def record(store: Store, name: str) -> str:
    with store.start_run(name) as run:
        for step in (0, 10, 20):
            image = np.full((8, 8, 3), step * 10, dtype=np.uint8)
            run.log_media("samples", [image, image], step=step, caption=[f"{name} {step}", "<b onclick=1>"])
            run.log_histogram("weights", np.arange(100.0) + step, step=step)
        run.log_table("predictions", [{"id": 1, "text": "<img src=x onerror='window.hacked=1'>", "p": 0.123456789}])
        run.log_confusion_matrix("confusion", [0, 1], [0, 0])
        run.log_roc_curve("roc", [0, 1, 1], [0.1, 0.9, 0.05])
        run.log_curves("calibration", {"<b>svm</b>": ([0, 0.5], [0.1, 0.4])}, x="predicted", y="<i>true</i>")
        run.log_media("page", "<script>window.hacked=2</script>", kind="html")
    return run.id


def test_media_of_runs_stand_beside_each_other_and_follow_the_slider(page: "Page", store: Store, serve: Serve) -> None:
    record(store, "one")
    record(store, "two")
    open_page(page, serve(store.root), "/?tab=media")
    samples = page.locator("[data-media=samples]")
    samples.locator("img").nth(3).wait_for()
    until(page, "[...document.querySelectorAll('[data-media=samples] img')].every(img => img.naturalWidth === 8)")
    assert sorted(samples.locator("figcaption").all_inner_texts()) == ["<b onclick=1>"] * 2 + ["one 20", "two 20"]
    slider = page.get_by_role("slider", name="Step")
    slider.fill("1")
    samples.get_by_text("one 10").wait_for()
    until(page, "new URLSearchParams(location.search).get('at') === '10'")
    page.reload()
    samples.get_by_text("two 10").wait_for()
    page.get_by_role("searchbox", name="Find media").fill("weig")
    until(page, "document.querySelectorAll('[data-media]').length === 1")
    assert query(page)["find"] == ["weig"]


def test_of_very_many_keys_those_that_somebody_looks_for_are_shown(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("wide") as run:
        for number in range(MAX_KEYS + 30):
            run.log_media(f"layer_{number:03}/text", f"text {number}")
    open_page(page, serve(store.root), f"/run/{run.id}?tab=media")
    page.get_by_text("30 further keys are not shown").wait_for()
    search = page.get_by_role("searchbox", name="Find media")
    search.fill("layer_22* text")
    until(page, "document.querySelectorAll('[data-media]').length === 10")
    page.locator("[data-media='layer_229/text']", has_text="text 229").wait_for()
    search.fill("nothing")
    page.get_by_text("No media have such a name.").wait_for()
    search.fill("")
    page.get_by_text("30 further keys are not shown").wait_for()


def test_every_kind_is_shown_and_foreign_text_does_nothing(page: "Page", store: Store, serve: Serve) -> None:
    run = record(store, "one")
    open_page(page, serve(store.root), f"/run/{run}?tab=media")
    for key in ("weights", "confusion", "roc", "calibration"):
        page.locator(f"[data-media={key}] .js-plotly-plot .main-svg").first.wait_for()
    page.locator("[data-media=predictions] td", has_text="onerror").wait_for()
    assert page.locator("[data-media=predictions] td").last.inner_text() == "0.12346"
    page.locator("[data-media=page] .output", has_text="<script>").wait_for()
    assert page.locator("[data-media=roc] .legendtext").text_content() == "1 (AUC 0.5)"
    lines = page.locator("[data-media=calibration]")
    assert lines.locator(".legendtext").text_content() == "<b>svm</b>"
    assert (lines.locator(".xtitle").text_content(), lines.locator(".ytitle").text_content()) == (
        "predicted",
        "<i>true</i>",
    )


def test_the_slider_goes_along_epochs_where_these_are_known(page: "Page", store: Store, serve: Serve) -> None:
    """Runs of other batch sizes log at other steps, at the same epochs."""
    for name, steps in (("small", 100), ("large", 7)):
        with store.start_run(name) as run:
            for epoch in (1, 2, 3):
                run.log_media("sample", f"{name} in epoch {epoch}", step=epoch * steps, epoch=epoch)
    open_page(page, serve(store.root), "/?tab=media")
    sample = page.locator("[data-media=sample]")
    sample.get_by_text("large in epoch 3").wait_for()
    choice = page.get_by_role("combobox", name="What the slider goes along")
    choice.focus()
    choice.select_option("epoch")
    assert choice.evaluate("choice => choice === document.activeElement")
    slider = page.get_by_role("slider", name="Epoch")
    assert slider.get_attribute("max") == "2"
    slider.fill("1")
    for name in ("small", "large"):
        sample.get_by_text(f"{name} in epoch 2").wait_for()
    until(page, "location.search.includes('along=epoch') && location.search.includes('at=2')")
    page.reload()
    sample.get_by_text("small in epoch 2").wait_for()
    choice.select_option("step")
    sample.get_by_text("small in epoch 3").wait_for()
