"""What runs recorded is text, never markup."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from runlore import Store
from tests.forged import ForgedStore
from tests.ui.browsing import data_of, open_page, plot_of, run_id, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


EVERYWHERE = [
    "/", "/?all=1&tab=scatter&q=status+%3D%3D+%22failed%22", "/?q=status+%3D%3D+%22failed%22&group=tags.x",
    "/?q=status+%3D%3D+%22failed%22&tab=parallel", "/run/EVIL", "/run/EVIL?tab=charts", "/run/EVIL?tab=artifacts",
    "/run/EVIL?tab=code", "/run/EVIL?tab=output", "/run/EVIL?tab=lineage", "/compare?runs=EVIL&runs=OTHER",
    "/find?sha256=SHA", "/models", "/run/EVIL?tab=media", "/?q=status+%3D%3D+%22failed%22&tab=media",
    "/?q=status+%3D%3D+%22failed%22&tab=importance",
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


def test_bidirectional_and_control_characters_are_seen(page: "Page", store: Store, serve: Serve) -> None:
    with store.start_run("a\u202ereversed\x07") as run:
        run.run_log.keep_bytes(b"weights", name="model.bin", kind="model")
    blank = "a\u115fb\u1160c\u3164d\uffa0"  # letters that are seen as nothing
    store.model(blank).add(run.id)
    served = serve(store.root)
    open_page(page, served)
    wait_names(page, lambda found: found == ["a\\u202ereversed\\u0007"])
    open_page(page, served, "/models")
    page.get_by_role("link", name=r"a\u115fb\u1160c\u3164d\uffa0", exact=True).wait_for()


def test_a_copied_command_is_the_one_that_is_shown_and_runs_nothing_when_it_is_pasted(
    page: "Page", tmp_path: Path, serve: Serve
) -> None:
    forged = ForgedStore(tmp_path / "forged")
    argv = ["train.py", "--lr=0.1", "a\ntouch owned\r\n", "b\x1b[2J\u202e\tc\x7f\x9b\u2028", "d; touch 'owned'", "é"]
    run = forged.run(opening={"argv": argv})
    open_page(page, serve(forged.root), f"/run/{run}?tab=code")
    command = page.locator(".command")
    shown = command.locator("code").inner_text()
    command.get_by_role("button").click()
    page.get_by_role("button", name="Copy").filter(has_text="Copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == shown
    assert copied.isprintable()
    words = shlex.split(copied)
    assert words[:2] == argv[:2]
    assert words[2:] == [
        "a\\ntouch owned\\u000d\\n", "b\\u001b[2J\\u202e\\tc\\u007f\\u009b\\u2028", "d; touch 'owned'", "é",
    ]  # fmt: skip


def test_values_are_no_markup_in_pictures_either(page: "Page", store: Store, serve: Serve) -> None:
    """The library that draws charts understands some markup in labels."""
    link = '<a href="http://evil.example/">click</a>'
    for number, text in enumerate((link, "plain")):
        with store.start_run(f"<b>{number}</b>", params={"mk": text, "<i>k</i>": f"<i>{text}</i>"}) as run:
            run.log_metrics({"loss": 1.0}, 0)
            run.log_metrics({"loss": 2.0}, 1)
    served = serve(store.root)
    other = quote('params["<i>k</i>"]')
    for view in (
        "scatter&sx=params.mk&sy=metrics.loss", "boxes&bm=metrics.loss&bx=params.mk",
        f"heatmap&hx=params.mk&hy={other}&hm=metrics.loss",
    ):  # fmt: skip
        open_page(page, served, f"/?tab={view}")
        plot = page.locator(".js-plotly-plot")
        ticks = plot.locator(".xtick text")
        ticks.nth(1).wait_for()
        assert plot.locator("a, i, [style*='italic']").count() == 0, view
        assert "<a href" in "".join(ticks.all_text_contents()), view
    open_page(page, served, "/?group=params.mk")
    plot_of(page, "loss")
    assert data_of(page, "loss")[-1]["name"] != link
    assert page.locator(".js-plotly-plot a").count() == 0
