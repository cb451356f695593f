"""Code that lies in no file is kept as it ran: a notebook's cells, the argument of Python."""

import json
import os
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


def sources(store: Store, name: str) -> dict[str, str]:
    """Return the sources of a run that lies in no repository."""
    found = [item for item in store.run(name).artifacts if item.name == "source"][-1:]
    return {member.path: item.blobs.read(member.sha256).decode() for item in found for member in item.members}


def write_notebook(path: Path, *cells: str) -> None:
    notebooks = pytest.importorskip("nbformat")
    notebook = notebooks.v4.new_notebook(cells=[notebooks.v4.new_code_cell(cell) for cell in cells])
    notebooks.write(notebook, path)


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


def test_what_ran_outside_of_the_history_is_kept_behind_it(store: Store) -> None:
    """Such as the code of a front end that stores no history, and of `run_cell`."""
    execute(
        "import runlore\nrate = 1",
        "get_ipython().run_cell('rate = 2\\nrate += 1\\n%pwd'); get_ipython().run_cell('import runlore\\nrate = 1')",
        "runlore.start_run('x', params={'rate': rate}).finish()",
    )
    found = kept(store, "x").split("# %% ")
    assert [part.partition("\n")[0] for part in found] == ["", "[1]", "[2]", "[3]", "[outside of the history]"]
    assert found[-1].startswith("[outside of the history]\nrate = 2\nrate += 1\nget_ipython().run_line_magic('pwd'")
    assert missing(store, "x") == {}


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


def test_a_script_that_is_over_while_it_is_captured_is_kept(store: Store, tmp_path: Path, python: Python) -> None:
    """Python takes the file out of `__main__` behind the last line: a short script read as typed now and then."""
    lines = "import atexit, runlore\natexit.register(lambda: runlore.start_run('x').finish())\n"
    (tmp_path / "short.py").write_text(lines)
    python(tmp_path / "short.py").succeed()
    assert (missing(store, "x"), sources(store, "x")) == ({}, {"short.py": lines})


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


def test_what_cells_run_of_other_files_is_kept(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a notebook that %run runs nor a script behind its end is a module: both were once lost."""
    monkeypatch.chdir(tmp_path)
    write_notebook(tmp_path / "helper.ipynb", "rate = 7", "%run -i inner.ipynb")
    write_notebook(tmp_path / "inner.ipynb", "depth = 3")
    (tmp_path / "fit one.py").write_text("run.log_metrics({'loss': rate})")
    (tmp_path / "late.py").write_text("late = 1")
    execute(
        "%run ./helper.ipynb",
        "import runlore\nrun = runlore.start_run('x')\nrun.companions.await_captures()\nname = 'late'",
        "%%capture\n%run -i 'fit one.py' --epochs 3",
        "if rate:\n    %run $name",
        "run.finish()",
    )
    found = sources(store, "x")
    assert set(found) == {"helper.ipynb", "inner.ipynb", "fit one.py", "late.py"}
    assert "rate = 7" in found["helper.ipynb"]
    assert missing(store, "x") == {}


def test_what_cells_run_and_is_gone_is_missed(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first.py").write_text("import os; os.unlink('first.py')")
    execute("%run first.py", "run = 1", "import runlore\nrunlore.start_run('x').finish()")
    assert list(missing(store, "x")) == ["%run first.py"]


@pytest.mark.parametrize("name", ["train.ipy", "train.ipynb"])
def test_a_file_of_cells_that_ipython_runs_is_kept(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pytest.importorskip("IPython")
    monkeypatch.chdir(tmp_path)
    code = "%time rate = 1\nimport runlore\nrunlore.start_run('x').finish()"
    if name.endswith("b"):
        write_notebook(tmp_path / name, code)
    else:
        (tmp_path / name).write_text(code)
    subprocess.run([sys.executable, "-m", "IPython", name], check=True, capture_output=True)
    assert list(sources(store, "x")) == [name]
    assert missing(store, "x") == {}


EDIT = """
import os
with open("helper.py", "w") as file:
    file.write({text!r})
os.utime("helper.py", (9e8, {time}))
"""
EDITED = EDIT.format(text="def rate():\n    return 2\n", time=9.1e8)
LATER = EDIT.format(text="def rate():\n    return 3\n", time=4e9)
TOUCHED = EDIT.format(text="def rate():\n    return 1\n", time=9.1e8)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (["import helper", EDITED], "since it was loaded"),
        (["import helper", TOUCHED], None),
        ([EDITED, "import helper"], None),
        (["import helper", EDITED, "import importlib; importlib.reload(helper)"], None),
        (["%load_ext autoreload\n%autoreload 2\nimport helper", EDITED, "helper.rate()"], None),
        (
            ["%load_ext autoreload\n%autoreload 2\nimport runlore, helper", "START", LATER, "helper.rate()"],
            "loaded again",
        ),
        (["import runlore\nimport helper", "START", EDITED], None),
        (["import runlore\nimport helper", "START", LATER, "RELOAD"], "loaded again"),
        (["import runlore\nimport helper", "START", LATER], None),
    ],
)
def test_a_module_that_changed_is_told_of_where_it_matters(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: list[str], told: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    (tmp_path / "helper.py").write_text("def rate():\n    return 1\n")
    os.utime(tmp_path / "helper.py", (9e8, 9e8))
    start = "import runlore\nrun = runlore.start_run('x')\nrun.companions.await_captures()"
    named = {"START": start, "RELOAD": "import importlib; importlib.reload(helper)"}
    run = [named.get(cell, cell) for cell in cells]
    execute(*run, *([] if "START" in cells else [start]), "run.finish()")
    assert list(missing(store, "x")) == (["helper.py"] if told else [])
    assert (told or "") in "".join(missing(store, "x").values())


def ipython(*arguments: str, typed: str = "") -> None:
    """Type lines into IPython in a terminal, to its end."""
    pytest.importorskip("IPython")
    command = [sys.executable, "-m", "IPython", "--no-banner", "--simple-prompt", *arguments]
    subprocess.run(command, input=typed, text=True, check=True, capture_output=True)


def test_a_run_that_a_terminal_leaves_open_has_all_cells(store: Store) -> None:
    """IPython lets go of its history before the run ends."""
    ipython(typed="import runlore\nrun = runlore.start_run('x')\nrun.companions.await_captures()\nrate = 2\nexit\n")
    assert kept(store, "x").endswith("# %% [4]\nrate = 2\n")
    assert missing(store, "x") == {}


def test_what_was_pasted_is_no_gap(store: Store) -> None:
    ipython(
        typed="import runlore\n%cpaste -q\nrate = 4\n--\nother = 5\nrunlore.start_run('x').finish()\n",
    )
    assert "rate = 4" in kept(store, "x")
    assert missing(store, "x") == {}


def test_code_that_ipython_is_given_is_kept(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "settings"))
    startup = tmp_path / "settings" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00-mine.py").write_text("rate = 5\n")
    ipython("-c", "import runlore; runlore.start_run('x').finish()", "--InteractiveShellApp.exec_lines=['lines = 1']")
    assert kept(store, "x") == (
        "# %% [given]\nlines = 1\n\n# %% [given]\nimport runlore; runlore.start_run('x').finish()\n"
    )
    assert sources(store, "x") == {"settings/profile_default/startup/00-mine.py": "rate = 5\n"}
    assert missing(store, "x") == {}


def test_ipython_is_not_imported_to_ask(store: Store, python: Python) -> None:
    script = "import json, sys, runlore; runlore.start_run('x').finish(); print(json.dumps(sorted(sys.modules)))"
    loaded: Any = json.loads(python(script).succeed())
    assert not [name for name in loaded if name.startswith("IPython")]
