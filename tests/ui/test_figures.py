"""The benchmark of the page comes in as a browser does."""

import subprocess
import sys
from pathlib import Path

from runlore import Store
from tests.ui.serving import ROOT

ACT = """
import sys
from pathlib import Path
from tests.bench.ui_figures import fresh
from tests.ui.serving import Served

served = Served(Path(sys.argv[1]))

def act(page):
    page.goto(served.base, wait_until="commit")
    page.locator("tr[data-run]").wait_for()
    return 7.0

print(fresh(served, act))
served.end()
"""


def test_a_figure_is_taken_in_a_page_that_has_the_cookie(store_of_one: Store, chromium: str) -> None:
    """In a process of its own, where no other Playwright runs."""
    assert Path(chromium).exists()
    command = [sys.executable, "-c", ACT, str(store_of_one.root)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "7.0\n"), done.stderr
