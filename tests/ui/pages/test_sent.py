"""Pages that were made of a view, to be sent: opened as files in a real browser, without a server."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from runlore.ui.report import View
from tests.forged import ForgedStore
from tests.process import Process
from tests.ui.browsing import SWEEP, data_of, names, open_page, plot_of, until, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def made(store: Path, target: Path, *options: str) -> Path:
    """Let the command make a page, and return it."""
    command = [sys.executable, "-m", "runlore", "export", "--store", str(store), "--html", str(target), *options]
    subprocess.run(command, check=True, capture_output=True)
    return target


def opened(page: "Page", file: Path) -> list[str]:
    """Open a file; return what it asks the network for."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.locator(".report h1").wait_for()
    return asked


def test_a_view_is_complete_without_a_server(page: "Page", real: Served, tmp_path: Path) -> None:
    file = made(real.store, tmp_path / "runs.html", "--view", f"/?{SWEEP}&sort=name&cols=params.lr&cols=metrics.loss")
    asked = opened(page, file)
    assert wait_names(page, lambda found: len(found) == 12) == sorted(names(page))
    plot_of(page, "loss")
    assert len(data_of(page, "loss")) == 8, "as on the page, of twelve runs of which it has the curves"
    assert all(url.startswith(("file:", "data:")) for url in asked), asked
    page.get_by_role("button", name="lr", exact=True).click()
    until(page, "document.querySelector('th[aria-sort=descending]')?.innerText.includes('lr')")
    page.get_by_role("button", name="name", exact=True).click(modifiers=["Shift"])
    wait_names(page, [f"sweep-{lr}-{seed}" for lr in ("0.1", "0.01", "0.001") for seed in (3, 2, 1, 0)].__eq__)
    page.get_by_role("checkbox", name=f"Select {names(page)[0]}").check()
    until(page, "document.querySelector(`.card[data-key='loss'] .plot`).data.length === 1")


def test_columns_that_a_view_took_out_are_not_in_the_page(page: "Page", real: Served, tmp_path: Path) -> None:
    open_page(page, real, f"/?{SWEEP}&cols=params.lr&less=status&less=duration")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="View as HTML").click()
    download.value.save_as(tmp_path / "view.html")
    opened(page, tmp_path / "view.html")
    wait_names(page, lambda found: len(found) == 12)
    assert page.locator(".runs th button[title^='Sort']").all_inner_texts() == ["name", "lr", "started"]


def test_a_column_that_an_address_names_often_is_sent_once() -> None:
    assert View.at("?" + "&cols=params.lr" * 100 + "&cols=started").columns == ("params.lr", "started")


def test_the_page_offers_the_view_that_it_shows(page: "Page", real: Served, tmp_path: Path) -> None:
    open_page(page, real, f"/?{SWEEP}&group=params.lr&over=params.seed")
    page.get_by_role("button", name="Download", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="View as HTML").click()
    download.value.save_as(tmp_path / "view.html")
    groups = [text.replace("▸", "").strip() for text in page.locator(".groups tbody tr").all_inner_texts()]
    test = page.locator(".tests").inner_text()
    opened(page, tmp_path / "view.html")
    page.locator(".groups").wait_for()
    assert [text.strip() for text in page.locator(".groups tbody tr").all_inner_texts()] == groups
    assert page.locator(".tests").inner_text() == test
    plot_of(page, "loss")


def test_a_comparison_is_sent_with_its_code_and_without_commands(page: "Page", real: Served, tmp_path: Path) -> None:
    one, other = (run.id for run in Store(real.store).runs('tags.integration == "lightning" and params.lr < 0.01'))
    open_page(page, real, f"/compare?runs={other}&runs={one}")
    with page.expect_download() as download:
        page.get_by_role("link", name="as HTML").click()
    download.value.save_as(tmp_path / "two.html")
    opened(page, tmp_path / "two.html")
    page.locator(".code .added", has_text="+    for lr in (3e-3, 1e-2):").wait_for()
    plot_of(page, "val_acc")
    assert page.get_by_role("button", name="Compare with this").count() == 0
    assert page.get_by_role("button", name="Add note").count() == 0


def test_a_run_is_sent_with_what_it_recorded(page: "Page", real: Served, tmp_path: Path) -> None:
    view = "http://a.localhost:1/run/sweep-0.1-1"
    opened(page, made(real.store, tmp_path / "one.html", "--view", view, "--title", "One"))
    assert page.title() == "One"
    page.get_by_text("Params", exact=True).wait_for()
    assert page.locator("dt", has_text="lr").first.is_visible()
    plot_of(page, "loss")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_it(page: "Page", real: Served, tmp_path: Path, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    text = made(real.store, tmp_path / "axe.html", "--view", f"/?{SWEEP}").read_text()
    relaxed = tmp_path / "relaxed.html"  # axe is a script that the page would not let in
    relaxed.write_text(re.sub(r'<meta http-equiv="content-security-policy"[^>]*>', "", text, count=1))
    opened(page, relaxed)
    plot_of(page, "loss")
    found = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]})
    assert [(item["id"], [node["html"] for node in item["nodes"]]) for item in found.response["violations"]] == []


def test_what_a_run_recorded_is_no_markup_there(page: "Page", real: Served, tmp_path: Path) -> None:
    evil = Store(real.store).runs('status == "failed"')[0]
    title = "<img src=x onerror='window.hacked=1'></script><script>window.hacked=1</script>"
    file = made(real.store, tmp_path / "evil.html", "--view", f"/run/{evil.id}", "--title", title)
    opened(page, file)
    assert page.locator("h1").inner_text() == title
    page.wait_for_timeout(400)  # for what would run late
    assert page.locator("main script, main [onerror], main img").count() == 0
    assert page.evaluate("window.hacked") is None


def test_nothing_is_asked_for_elsewhere_whatever_gets_in(
    page: "Page", store: Store, expected: list[str], tmp_path: Path
) -> None:
    """The page's own policy refuses scripts that are not named in it, and everything from elsewhere."""
    expected += ["Content Security Policy"]
    store.start_run("a").finish()
    file = made(store.root, tmp_path / "policy.html")
    file.write_text(
        file.read_text().replace("<body>", "<body><script>window.hacked=1</script><img src='http://127.0.0.1:9/x'>")
    )
    failed: list[str | None] = []
    page.on("requestfailed", lambda request: failed.append(request.failure))
    opened(page, file)
    assert page.evaluate("window.hacked") is None
    assert failed == ["csp"], "the picture from elsewhere"


def test_secrets_of_a_record_without_masks_are_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rules of the reader hold for what is sent, whatever held where it was recorded."""
    forged = ForgedStore(tmp_path / "store")
    run = forged.run([{"type": "params", "values": {"api_key": "hunter2-hunter2", "note": "see CANARY-of-mine"}}])
    monkeypatch.setenv("MY_SERVICE_TOKEN", "CANARY-of-mine")
    text = made(forged.root, tmp_path / "page.html", "--view", f"/run/{run}").read_text()
    assert "hunter2-hunter2" not in text
    assert "CANARY-of-mine" not in text
    assert "api_key" in text


def test_names_that_hold_a_secret_are_masked(store: Store, tmp_path: Path, python: Callable[..., Process]) -> None:
    secret = "ghp_" + "a1B2c3D4e5F6" * 3
    python(
        f"""
        import runlore
        with runlore.start_run("{secret}-run", experiment="{secret}-exp", params={{"{secret}-key": 1}}) as run:
            run.log_metrics({{"{secret}-loss": 1.0}}, 1)
            run.log_metrics({{"{secret}-loss": 2.0}}, 2)
        """,
        RUNLORE_DISABLED="secrets",
    ).succeed()
    run = store.runs()[0].id
    for view in (f"/?exp={secret}-exp&sel={run}", f'/?group=params["{secret}-key"]', f"/run/{run}"):
        text = made(store.root, tmp_path / "page.html", "--view", view).read_text()
        assert secret not in text, view
        assert "argv" not in text.split('id="content">', 1)[1].split("</script>", 1)[0]


def test_names_of_metrics_and_params_are_no_secrets_of_a_field_called_key(store: Store, tmp_path: Path) -> None:
    names = ["a7Gk2Lm9Qr4Tz1Xc8Vb3", "user_token"]
    for number in range(2):
        with store.start_run("x", params={names[0]: number}) as run:
            run.log_metrics(dict.fromkeys(names, 1.0), step=0)
            run.log_metrics(dict.fromkeys(names, 2.0), step=1)
    for view in ("/?cols=metrics.user_token", f'/?group=params["{names[0]}"]'):
        text = made(store.root, tmp_path / "page.html", "--view", view).read_text()
        assert "[masked]" not in text, view
        assert all(f'"key":"{name}"' in text for name in names), view


def test_only_a_file_is_replaced(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(subprocess.CalledProcessError):
        made(store.root, tmp_path / "pipe")
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "link.html").symlink_to(tmp_path / "real.html")
    made(store.root, tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert "</html>" in (tmp_path / "real.html").read_text()
    victim = tmp_path / "victim"
    (tmp_path / ".x.html.tmp").symlink_to(victim)
    made(store.root, tmp_path / "x.html")
    assert not victim.exists()
    assert not list(tmp_path.glob(".x.html.*.tmp"))


def test_words_of_the_command_line_that_can_not_be_meant(store: Store, tmp_path: Path) -> None:
    names = ["a", *(f"other-{number}" for number in range(10))]
    for name in names:
        with store.start_run(name, params={"x": 1}) as run:
            run.log_metrics({"loss": 1.0})
    for options, said in {
        (): "say where to",
        ("--to", "a", "--html", "b"): "say where to",
        ("--to", "a", "--view", "/"): "--view goes with --html",
        ("--html", "b", "--view", "/find"): "view is '/find'",
        ("--html", "b", "--view", "/?smooth=2"): "smooth is '2'",
        ("--html", "b", "--view", "/?x=loss"): "x is 'loss'",
        ("--html", "b", "--view", "/compare?runs=nobody"): "no run matches",
        ("--html", "b", "--view", "/run/nobody"): "no run matches",
        ("--html", "b", "--view", "/compare?runs=a"): "name at least two",
        (
            "--html",
            "b",
            "--view",
            "/compare?" + "&".join(f"runs={name}" for name in names),
        ): "at most 10 are compared",
        ("--html", "b", "--view", "//["): "which is no address",
        ("--html", "b", "--view", "nonsense"): "view has 'nonsense'",
        ("--html", "b", "--view", "/?where=params.x"): "view has 'where'",
        ("--html", "none/b"): "there is no folder 'none'",
        ("--html", "b", "params.x <<"): "not a query",
    }.items():
        done = subprocess.run(
            [sys.executable, "-m", "runlore", "export", "--store", str(store.root), *options],
            capture_output=True, text=True, check=False, cwd=tmp_path,
        )  # fmt: skip
        assert (done.returncode != 0, said in done.stderr) == (True, True), (options, done.stderr)
        assert not list(tmp_path.glob("*b*")), options


def test_the_endpoint_is_a_file_to_keep(store: Store, serve: Serve) -> None:
    store.start_run("a").finish()
    answer = serve(store.root).refused("/api/report", view='/?q=name == "a"')
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


def test_many_runs_and_metrics_are_cut_and_that_is_said(store: Store, tmp_path: Path) -> None:
    with store.start_run("wide") as run:
        for step in range(3):
            run.log_metrics({f"m{place}": float(place) for place in range(250)}, step=step)
    text = made(store.root, tmp_path / "wide.html").read_text()
    content = json.loads(text.split('id="content">', 1)[1].split("</script>", 1)[0])
    assert len(content["curves"]) == 200
    assert content["said"] == ["The charts of 200 of 250 metrics."]
