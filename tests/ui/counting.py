"""Somebody at the page whose clicks and keys are counted; what is only looked at is not."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runlore import Store
from tests.ui.browsing import drag, drop, open_page, wait_names
from tests.ui.serving import Served

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

AIM, MLFLOW, TRACKIO, WANDB = "Aim", "MLflow", "Trackio", "W&B"


class User:
    """Begins at the front of the page."""

    def __init__(self, page: "Page", served: Served) -> None:
        self.page = page
        self.served = served
        self.clicks = 0
        self.keys = 0
        open_page(page, served)

    @property
    def store(self) -> Store:
        """What the page shows, read behind its back."""
        return Store(self.served.store)

    def click(self, target: "Locator", **options: Any) -> None:
        self.clicks += 1
        target.click(**options)

    def button(self, name: str) -> None:
        """Click the button, of several the last one that was made."""
        self.click(self.page.get_by_role("button", name=name, exact=True).last)

    def tab(self, name: str) -> None:
        self.click(self.page.get_by_role("tab", name=name, exact=True))

    def link(self, name: str) -> None:
        self.click(self.page.get_by_role("link", name=name, exact=True).first)

    def tick(self, run: str, **options: Any) -> None:
        self.click(self.page.get_by_role("checkbox", name=f"Select {run}", exact=True), **options)

    def press(self, *names: str) -> None:
        for name in names:
            self.keys += 1
            self.page.keyboard.press(name)

    def type(self, text: str) -> None:
        self.keys += len(text)
        self.page.keyboard.type(text)

    def drag(self, where: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
        self.clicks += 1
        drag(self.page, where, begin, end)

    def drop(self, path: Path) -> None:
        self.clicks += 1
        drop(self.page, path)

    def experiment(self, name: str, runs: int) -> None:
        """Choose an experiment in the column of them, and wait for its runs."""
        self.click(self.page.locator("button.within").get_by_text(name, exact=True).first)
        wait_names(self.page, lambda found: len(found) == runs)


class Job(NamedTuple):
    """A job, and what the best of the other trackers needs for it, from its own front on.

    `clicks` and `keys` are as counted where they were, else as its documentation shows the way, which `best` tells. A
    drag, a drop and a tick are a click each.
    """

    name: str
    clicks: int
    keys: int
    best: str
    do: Callable[[User], None]
    at: str = "real"  # the fixture of the server

    def check(self, page: "Page", served: Served) -> None:
        """Do it, which asserts what comes of it, and count."""
        user = User(page, served)
        self.do(user)
        assert user.clicks <= self.clicks, f"{user.clicks} clicks, {self.best}"
        assert user.keys <= self.keys, f"{user.keys} keys, {self.best}"
