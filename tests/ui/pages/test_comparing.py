"""Runs side by side in a real browser."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runlore import Store
from runlore.recording.companions import capture_afresh
from tests.git import git
from tests.ui.browsing import SWEEP, open_page, plot_of, query, until, wait_names
from tests.ui.serving import Serve, Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_two_runs_are_compared_on_a_page(page: "Page", real: Served) -> None:
    one, other = (run.id for run in Store(real.store).runs('tags.integration == "lightning" and params.lr < 0.01'))
    open_page(page, real, f"/compare?runs={other}&runs={one}")
    page.locator(".code .added", has_text="+    for lr in (3e-3, 1e-2):").wait_for()
    page.locator(".code .removed", has_text="-    for lr in (1e-3, 1e-2):").wait_for()
    groups = page.locator(".group-name").all_inner_texts()
    assert groups[:2] == ["Params", "Code"]
    row = page.get_by_role("row", name="val_acc", exact=False).last.inner_text()
    assert re.fullmatch(r"val_acc\s+[\d.e-]+\s+[\d.e-]+\s+(same|[+−][\d.e-]+), from step \d+\s*", row), row
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
    page.get_by_role("button", name="Compare with this").nth(1).click()
    until(
        page, f"new URLSearchParams(location.search).getAll('runs')[0] === '{Store(real.store).run('sweep-0.01-1').id}'"
    )
    page.get_by_text("the others are compared with it").wait_for()
    page.get_by_role("link", name="Compare").click()
    page.get_by_text("Select from two to ten runs").wait_for()


def test_all_digits_of_a_param_are_shown(page: "Page", store: Store, serve: Serve) -> None:
    """JavaScript's numbers hold 53 bits."""
    for seed, lr in ((1234567890123, 0.1234561), (2**60 + 1, 0.1234562)):
        store.start_run(f"s{seed}", params={"seed": seed, "lr": lr}).finish()
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    open_page(page, served, f"/compare?runs={ids[0]}&runs={ids[1]}")
    page.get_by_text(str(2**60 + 1), exact=True).wait_for()
    for text in ("1234567890123", "0.1234561", "0.1234562"):
        assert page.get_by_text(text, exact=True).count() == 1


def test_what_became_of_rows_stands_above_their_lines(
    page: "Page", store: Store, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "project"
    repository.mkdir()
    git(repository, "init")
    monkeypatch.chdir(repository)
    rows = [f"item{number},{number % 3}\n" for number in range(90)]
    for name, kept in (("all", rows), ("fewer", rows[:60])):
        (repository / "train.csv").write_text("".join(kept))
        git(repository, "add", ".")
        git(repository, "commit", "-m", name)
        capture_afresh()
        store.start_run(name).finish()
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    open_page(page, served, f"/compare?runs={ids[1]}&runs={ids[0]}")
    page.get_by_text("30 of 90 rows removed, none changed", exact=True).wait_for()
    page.locator(".code .removed", has_text="-item60,0").wait_for()


def test_data_that_was_only_shuffled_is_told_so_beside_its_fingerprint(
    page: "Page", store: Store, serve: Serve
) -> None:
    for name, data in (("first", [1, 2, 3]), ("shuffled", [3, 1, 2])):
        with store.start_run(name) as run:
            run.log_data("X", data)
    served = serve(store.root)
    ids = [row["id"] for row in served.get("/api/runs")["rows"]]
    open_page(page, served, f"/compare?runs={ids[1]}&runs={ids[0]}")
    cells = page.get_by_role("row", name="X.fingerprint").get_by_role("cell")
    cells.nth(2).get_by_text("the same 3 rows in another order").wait_for()
    assert "another order" not in cells.nth(1).inner_text()


def test_the_columns_of_compared_runs_stand_below_each_other(page: "Page", real: Served) -> None:
    runs = Store(real.store).runs('experiment == "sweep"', limit=10)
    open_page(page, real, f"/compare?{'&'.join(f'runs={run.id}' for run in runs)}")
    page.locator(".sides").nth(1).wait_for()
    places = "tables => tables.map(table => [...table.querySelectorAll('thead th')].map(head => head.offsetLeft))"
    one, other = page.eval_on_selector_all(".sides", places)
    assert one == other
    cells = """tables => tables.flatMap(table => [...table.querySelectorAll('th, td')])
        .filter(cell => cell.scrollWidth > cell.clientWidth + 1).map(cell => cell.innerText)"""
    assert page.eval_on_selector_all(".sides", cells) == []
