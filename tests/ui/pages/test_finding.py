"""Runs that are found by a file, in a real browser."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from runlore import Store
from tests.ui.browsing import drop, open_page, query
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


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
