"""The house rules that no linter knows."""

import re
from pathlib import Path

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
