"""The README's table of frameworks says what tests back, for every framework that there is."""

import tomllib

import pytest

from tests.docs.table import BEGIN, END, FRAMEWORKS, PAGE, ROOT, UnknownCell, backed, cells, generated, written

TEST = """
import pytest
@pytest.mark.parametrize("how", [1])
@pytest.mark.shows("keras", "params", "data")
def test_something(how): ...
@pytest.mark.shows("torch", "processes")
class TestTorch: ...
@pytest.mark.shows("torch", "data")
def helper(): ...
"""


def test_the_table_is_the_one_that_the_tests_back() -> None:
    assert PAGE.read_text().count(BEGIN) == PAGE.read_text().count(END) == 1
    assert written() == generated(backed()), "python -m tests.docs.table writes it"


def test_every_framework_has_its_row_and_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*project["entry-points"]["runlore.integrations"]} - {"scripts"} == set(FRAMEWORKS)
    for framework in FRAMEWORKS:
        assert (ROOT / "docs" / f"{framework}.md").exists()


def test_a_cell_is_empty_without_a_test() -> None:
    found = cells(iter([TEST]))
    assert dict(found) == {("keras", "params"): 1, ("keras", "data"): 1, ("torch", "processes"): 1}
    row = next(line for line in generated(found).splitlines() if "[Keras]" in line)
    assert row == "| [Keras](docs/keras.md) | ✓ | – | – | ✓ | – | – | – | – |"


@pytest.mark.parametrize("mark", ['"kerras", "params"', '"keras", "parameters"'])
def test_a_mark_that_names_no_cell_is_told(mark: str) -> None:
    with pytest.raises(UnknownCell, match="one of"):
        cells(iter([f"@pytest.mark.shows({mark})\ndef test_something(): ..."]))
