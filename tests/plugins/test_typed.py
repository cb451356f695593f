"""Code that lies in no file is kept as it ran: a notebook's cells, the argument of Python."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore.plugins import typed
from tests.process import Process

Python = Callable[..., Process]


def execute(*cells: str) -> None:
    """Run cells one after the other in a kernel of Jupyter."""
    nbclient = pytest.importorskip("nbclient")
    notebooks = pytest.importorskip("nbformat").v4
    notebook = notebooks.new_notebook(cells=[notebooks.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()


def kept(store: Store, name: str) -> str:
    """Return the file of what was typed, as the run has it last."""
    item = [item for item in store.run(name).artifacts if item.name == typed.TYPED][-1]
    (member,) = item.members
    return item.blobs.read(member.sha256).decode()


def missing(store: Store, name: str) -> dict[str, str]:
    return {str(item["what"]): str(item["why"]) for item in store.run(name).missing}


def test_the_cells_that_ran_are_kept_in_their_order_also_those_behind_the_start(store: Store) -> None:
    """Without git nothing was once kept, with it the notebook as it was last saved."""
    execute(
        "import runlore\nrate = 1",
        "run = runlore.start_run('x')\nrun.companions.await_captures()",
        "run.log_metrics({'loss': rate})",
        "rate = 2",
        "run.log_metrics({'loss': rate})\nrun.finish()",
        "rate = 3",
    )
    assert kept(store, "x") == (
        "# %% [1]\nimport runlore\nrate = 1\n\n"
        "# %% [2]\nrun = runlore.start_run('x')\nrun.companions.await_captures()\n\n"
        "# %% [3]\nrun.log_metrics({'loss': rate})\n\n"
        "# %% [4]\nrate = 2\n\n"
        "# %% [5]\nrun.log_metrics({'loss': rate})\nrun.finish()\n"
    )
    assert missing(store, "x") == {}


def test_cells_that_the_kernel_forgot_are_told(store: Store) -> None:
    execute("rate = 1", "get_ipython().history_manager.reset()", "import runlore\nrunlore.start_run('x').finish()")
    assert "can't be reproduced" in missing(store, "x")["cells of the notebook"]


def test_what_reset_removes_is_still_kept(store: Store) -> None:
    execute("import runlore\nrate = 1", "%reset -f", "import runlore\nrunlore.start_run('x').finish()")
    assert "rate = 1" in kept(store, "x")


def test_a_secret_in_a_cell_is_masked(store: Store) -> None:
    execute("token = 'hf_abcdefghijklmnopqrstuvwxyzABCDEFGH'\nimport runlore\nrunlore.start_run('x').finish()")
    assert "hf_abcdef" not in kept(store, "x")
    assert "runlore.start_run" in kept(store, "x")


def test_the_argument_of_python_is_kept(store: Store, python: Python) -> None:
    python("import runlore; runlore.start_run('x').finish()", "other").succeed()
    assert kept(store, "x") == "import runlore; runlore.start_run('x').finish()"
    assert missing(store, "x") == {}


def test_a_script_that_is_read_from_a_pipe_is_missed(store: Store) -> None:
    script = "import runlore; runlore.start_run('x').finish()"
    subprocess.run([sys.executable, "-"], input=script.encode(), check=True, capture_output=True)
    assert "can't be reproduced" in missing(store, "x")["the script"]


def test_a_script_that_is_gone_is_missed(store: Store, tmp_path: Path, python: Python) -> None:
    script = tmp_path / "train.py"
    script.write_text("import os, runlore; os.unlink(__file__); runlore.start_run('x').finish()")
    python(script).succeed()
    assert list(missing(store, "x")) == [str(script)]


def test_a_script_that_ipython_runs_is_a_script(store: Store, tmp_path: Path) -> None:
    pytest.importorskip("IPython")
    (tmp_path / "train.py").write_text("import runlore; runlore.start_run('x').finish()")
    subprocess.run([sys.executable, "-m", "IPython", "train.py"], check=True, capture_output=True)
    assert [item.name for item in store.run("x").artifacts] == ["source"]
    assert missing(store, "x") == {}


def test_ipython_is_not_imported_to_ask(store: Store, python: Python) -> None:
    script = "import json, sys, runlore; runlore.start_run('x').finish(); print(json.dumps(sorted(sys.modules)))"
    loaded: Any = json.loads(python(script).succeed())
    assert not [name for name in loaded if name.startswith("IPython")]
