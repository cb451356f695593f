"""Every test that docs/security.md names is there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
FINDINGS = 36


def test_every_test_that_holds_a_promise_is_there() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    named = NAMED.findall(text)
    assert len(named) > 80
    missing = [
        (path, name)
        for path, name in named
        if not (ROOT / path).is_file() or f"def {name}" not in (ROOT / path).read_text()
    ]
    assert missing == []


def test_every_finding_of_the_review_has_a_test() -> None:
    rows = re.findall(r"^\| F(\d\d)b? \|.*`tests/.*::\w+` \|$", (ROOT / "docs" / "security.md").read_text(), re.M)
    assert {int(number) for number in rows} == set(range(1, FINDINGS + 1))
