"""A framework's own tests, run with autolog off and on: each must come to the same."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

PLUGIN = """
import os
if os.environ.get("RECORDED"):
    import runlore
    runlore.autolog()
"""

Outcomes = dict[str, str]


def both(tests: list[Path], folder: Path, *, more: str = "", **environment: str) -> tuple[Outcomes, Outcomes]:
    """What each test comes to without and with autolog; `more` is the text of a plugin for pytest beside ours."""
    with ThreadPoolExecutor(2) as pool:
        off, on = pool.map(lambda recorded: _outcomes(tests, folder, recorded, more, environment), (False, True))
    return off, on


def differing(off: Outcomes, on: Outcomes) -> dict[str, tuple[str, str | None]]:
    """The tests that come to something else with autolog."""
    return {name: (before, on.get(name)) for name, before in off.items() if on.get(name) != before}


def _outcomes(tests: list[Path], folder: Path, recorded: bool, more: str, environment: dict[str, str]) -> Outcomes:
    place = folder / f"recorded-{recorded}"
    place.mkdir()
    (place / "recorded_plugin.py").write_text(PLUGIN + more)
    settings = ["-c", os.devnull, f"--rootdir={place}"]  # none of ours, though the packages may lie below us
    command = [sys.executable, "-m", "pytest", "-q", *settings, "-p", "no:cacheprovider", "-p", "recorded_plugin"]
    values = {**os.environ, "PYTHONPATH": str(place), "RECORDED": "1" if recorded else "", "OMP_NUM_THREADS": "1"}
    values |= {"RUNLORE_STORE": str(folder / "store"), **environment}
    result = place / "result.xml"
    done = subprocess.run(
        [*command, "--continue-on-collection-errors", f"--junitxml={result}", *map(str, tests)],
        cwd=place, env=values, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(result).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found
