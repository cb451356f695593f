"""The map of the rooms names every module."""

import re

import pytest

from tests.docs.test_docs import ROOT

PAGE = (ROOT / "docs" / "architecture.md").read_text()
CORE = ROOT / "core" / "runlore"
ROOMS = sorted(path.parent.name for path in CORE.glob("*/__init__.py") if path.parent.name != "cli")


@pytest.mark.parametrize("room", ROOMS)
def test_the_map_names_every_module_of_a_room(room: str) -> None:
    (row,) = re.findall(rf"^\| `{room}`(?:, `{room}/\w+`)* \| .*$", PAGE, re.M)
    names = {path.stem for path in (CORE / room).glob("*.py")} - {"__init__"}
    names |= {path.stem for path in (CORE / room / "static").glob("*.js")}
    assert {name for name in names if f"`{name}`" not in row} == set()
