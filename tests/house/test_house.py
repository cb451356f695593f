"""The house rules that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = [path for folder in ("core", "integrations") for path in (ROOT / folder).rglob("*.py")]


def test_every_broad_except_has_its_reason_beside_it() -> None:
    found = [
        (path.name, line)
        for path in SOURCES
        for line in path.read_text().splitlines()
        if re.search(r"except (Base)?Exception|except:", line)
    ]
    bare = [item for item in found if "#" not in item[1] and "BaseException" not in item[1]]
    assert found
    assert bare == []


def test_no_exception_is_swallowed_without_a_word() -> None:
    for path in SOURCES:
        assert not re.search(r"except (Base)?Exception[^\n]*:\n\s+pass\b", path.read_text()), path


def test_every_module_says_what_it_is() -> None:
    for path in SOURCES:
        assert path.read_text().startswith('"""'), path


def test_every_ignored_rule_has_its_reason() -> None:
    block = re.search(r"^ignore = \[\n(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.M | re.S)
    assert block
    assert all("# " in line for line in block[1].splitlines())


SQL = re.compile(r"\b(SELECT\b.*\bFROM|INSERT\s+INTO|DELETE\s+FROM|CREATE\s+(TABLE|INDEX)|PRAGMA)\b", re.S)


def sql_in(source: str) -> list[str]:
    """The texts of a module that are SQL; what stands in the braces of an f-string is left out."""
    texts = []
    for node in ast.walk(ast.parse(source)):
        parts = node.values if isinstance(node, ast.JoinedStr) else [node]
        texts.append(" ".join(str(part.value) for part in parts if isinstance(part, ast.Constant)))
    return [text for text in texts if SQL.search(text)]


def test_sql_stands_in_one_room() -> None:
    found = {path.relative_to(ROOT).as_posix() for path in SOURCES if sql_in(path.read_text())}
    assert "core/runlore/index/select.py" in found
    assert [path for path in sorted(found) if not path.startswith("core/runlore/index/")] == []


@pytest.mark.parametrize(
    "text", ['"SELECT n FROM runs"', 'f"SELECT {n} FROM runs"', '"SELECT n " "FROM runs"', '"PRAGMA x"']
)
def test_sql_would_be_found(text: str) -> None:
    assert sql_in(f"x = {text}")


def test_prose_is_no_sql() -> None:
    assert sql_in('x = "Select runs from a table."  # SELECT n FROM runs') == []
