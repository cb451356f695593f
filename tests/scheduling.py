"""The order in which two workers take the files of tests."""

from typing import TYPE_CHECKING

import pytest
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from xdist.remote import Producer

FIRST = (  # folders by what they take: the smallest files come last, so that no worker ends long after the other
    "ui", "upstream", "lightning", "transformers", "keras", "ray", "stress", "sklearn", "xgboost", "lightgbm",
    "catboost", "spark", "docs", "story", "reproduction", "examples", "recording",
)  # fmt: skip
TOGETHER = ("ui", "lightning", "transformers", "keras", "ray", "spark")  # whose files share stores, parents, a cluster


def folder_of(nodeid: str) -> str:
    """Return the folder of a test below `tests`."""
    return nodeid.split("::")[0].removeprefix("tests/").split("/")[0]


def place_of(nodeid: str) -> int:
    """Return the place of a test's folder among all, by which tests are sorted."""
    folder = folder_of(nodeid)
    return FIRST.index(folder) if folder in FIRST else len(FIRST)


class ByFile(LoadScopeScheduling):  # type: ignore[misc]
    """Give a worker all tests of a file at once, or of a folder whose files belong together."""

    def __init__(self, config: pytest.Config, log: "Producer | None" = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # collected in the right order already

    def _split_scope(self, nodeid: str) -> str:
        folder = folder_of(nodeid)
        return folder if folder in TOGETHER else nodeid.split("::")[0]
