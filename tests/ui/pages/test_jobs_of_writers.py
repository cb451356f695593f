"""The jobs that change something, as those of `test_jobs`: on a copy of the store each."""

from typing import TYPE_CHECKING

import pytest

from tests.ui.browsing import plot_of, wait_names, wait_plot
from tests.ui.counting import AIM, MLFLOW, TRACKIO, WANDB, Job, User
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Page


def watch_a_live_run(user: User) -> None:
    with user.store.start_run("live") as run:
        run.log_metrics({"loss": 1.0}, 0)
        wait_names(user.page, lambda found: found[:1] == ["live"])
        plot_of(user.page, "loss")
        for step in range(1, 4):
            run.log_metrics({"loss": 1.0 + step}, step)
        wait_plot(user.page, "loss", "plot.data.some(trace => trace.name === 'live' && trace.y.at(-1) === 4)")


def rename(user: User) -> None:
    user.link("sweep-0.1-1")
    user.button("Edit")
    user.type("best one")
    user.press("Enter")
    user.page.get_by_role("heading", name="best one").wait_for()
    assert user.store.run("best one").params["lr"] == 0.1


def tag(user: User) -> None:
    user.link("sweep-0.1-1")
    user.button("+ tag")
    user.type("good")
    user.press("Tab")
    user.type("yes")
    user.press("Enter")
    user.page.get_by_text("good: yes").wait_for()
    assert user.store.run("sweep-0.1-1").tags["good"] == "yes"


def note_and_correct(user: User) -> None:
    user.link("sweep-0.1-1")
    user.click(user.page.get_by_role("textbox", name="A note"))
    user.type("**worse** than")
    user.button("Add note")
    user.page.locator(".note strong", has_text="worse").wait_for()
    user.button("Edit the note")
    user.press("End")
    user.type(" it looks")
    user.button("Save")
    user.page.locator(".note", has_text="worse than it looks").wait_for()
    assert [note.text for note in user.store.run("sweep-0.1-1").notes] == ["**worse** than it looks"]


def archive(user: User) -> None:
    user.tick("sweep-0.1-1")
    user.button("Archive")
    wait_names(user.page, lambda found: found != [] and "sweep-0.1-1" not in found)
    assert user.store.run("sweep-0.1-1").tags["archived"] == "yes"


def delete_and_bring_back(user: User) -> None:
    user.tick("sweep-0.1-1")
    user.button("Remove")
    wait_names(user.page, lambda found: found != [] and "sweep-0.1-1" not in found)
    user.button("Undo")
    wait_names(user.page, lambda found: "sweep-0.1-1" in found)


JOBS = [
    Job("watch a live run", 1, 0, f"{TRACKIO}: project", watch_a_live_run),
    Job("rename", 3, len("best one") + 1, f"{WANDB}: project, menu, rename; the name", rename),
    Job("tag", 3, len("goodyes") + 2, f"{WANDB}: project, a tick, tag; the words", tag),
    Job(
        "note, and correct it", 5, len("**worse** than it looks") + 1, f"{MLFLOW}: run, and twice edit, save",
        note_and_correct,
    ),
    Job("archive", 3, 0, f"{AIM}: run, settings, archive", archive),
    Job(
        "delete, and bring back", 6, 0, f"{MLFLOW}: tick, delete, confirm, those deleted, tick, restore",
        delete_and_bring_back,
    ),
]  # fmt: skip


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_a_change_takes_no_more_than_elsewhere(page: "Page", own: Served, job: Job) -> None:
    job.check(page, own)
