"""What is captured of the environment, and plugins that work, break and are switched off."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pluggy

from runlore import Store
from runlore.plugins.environment import git_state, installed_packages
from tests.process import Process


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def test_python_os_hardware_and_packages_are_recorded(store: Store) -> None:
    with store.start_run("here"):
        pass
    found = store.run("here").environment
    assert found["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert found["packages"]["pluggy"] == pluggy.__version__
    assert found["packages"]["numpy"] == np.__version__
    assert found["hardware"]["cpus"] > 0
    assert store.run("here").command["cwd"] == str(Path.cwd())
    assert len(store.runs(f"env.packages.pluggy == '{pluggy.__version__}'")) == 1


def test_the_environment_is_kept_once_per_content(store: Store) -> None:
    for _ in range(5):
        store.start_run().finish()
    blobs = [path for path in (store.root / "blobs").rglob("*") if path.is_file()]
    assert len({run.environment["packages"]["pluggy"] for run in store.runs()}) == 1
    assert len(blobs) == len({path.name for path in blobs}) <= 2


def test_the_state_of_a_git_repository_is_recorded(tmp_path: Path) -> None:
    assert git_state(tmp_path, 5) is None
    git(tmp_path, "init")
    empty = git_state(tmp_path, 5)
    assert empty is not None
    assert empty["commit"] is None
    (tmp_path / "train.py").write_text("print(1)\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    clean = git_state(tmp_path, 5)
    assert clean is not None
    assert (clean["commit"], clean["dirty"]) == (git(tmp_path, "rev-parse", "HEAD").strip(), False)
    (tmp_path / "train.py").write_text("print(2)\n")
    (tmp_path / "new.py").touch()
    dirty = git_state(tmp_path, 5)
    assert dirty is not None
    assert (dirty["dirty"], dirty["changed_files"], dirty["untracked_files"]) == (True, 1, 1)
    assert dirty["branch"] == "main"


def test_packages_are_read_from_the_names_of_their_folders(tmp_path: Path) -> None:
    for name in ("Foo_Bar-1.2.dist-info", "baz-0.1-py3.egg-info", "other"):
        (tmp_path / name).mkdir()
    assert installed_packages([str(tmp_path), str(tmp_path / "none")]) == {"baz": "0.1", "foo-bar": "1.2"}


def plugin(folder: Path, name: str, code: str, attribute: str = "") -> str:
    """A distribution with an entry point, on a path of its own."""
    site = folder / "site"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[runlore]\n{name} = {name}{attribute}\n")
    (site / f"{name}.py").write_text(code)
    return str(site)


GOOD = """
from runlore import hookimpl
@hookimpl
def runlore_capture_environment(request):
    return {"cluster": {"job": 42, "argv": len(request.argv)}}
"""
SCRIPT = "import runlore; runlore.start_run('x').finish()"


def test_a_plugin_found_by_entry_point_adds_a_section(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", GOOD)).succeed()
    assert store.run("x").environment["cluster"] == {"job": 42, "argv": 1}


def test_a_plugin_that_raises_costs_only_itself_and_the_run_says_so(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    broken = GOOD.replace("return {", "raise ValueError('no cluster')\n    return {")
    python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", broken)).succeed()
    run = store.run("x")
    assert "python" in run.environment
    assert run.missing == [{"what": "environment from cluster", "why": "ValueError: no cluster"}]


def test_a_plugin_that_cannot_be_imported_is_named_and_left_out(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    process = python(SCRIPT, PYTHONPATH=plugin(tmp_path, "cluster", "import nothing_of_this_name"))
    process.succeed()
    assert "plugin 'cluster' can't be loaded" in process.err
    assert store.run("x").status == "finished"


def test_a_plugin_is_switched_off_by_name(store: Store, tmp_path: Path, python: Callable[..., Process]) -> None:
    path = plugin(tmp_path, "cluster", GOOD)
    python(SCRIPT, PYTHONPATH=path, RUNLORE_DISABLED="cluster,other").succeed()
    assert "cluster" not in store.run("x").environment


def test_built_in_and_installed_plugins_are_found_without_importing_a_framework(
    python: Callable[..., Process],
) -> None:
    printed = python("""
        import sys
        from runlore.plugins.manager import Plugins
        print(sorted(Plugins().load().names), "sklearn" in sys.modules, "numpy" in sys.modules)
    """).succeed()
    names = "code data environment keras lightning secrets sklearn system transformers".split()
    assert printed == f"{names} False False\n"


def test_recording_imports_no_framework_and_no_numpy(python: Callable[..., Process]) -> None:
    printed = python("""
        import sys, runlore
        with runlore.start_run("lean") as run:
            run.log_metrics({"x": 1.0})
        runlore.autolog()
        print([name for name in ("numpy", "sklearn", "click", "rich", "sqlite3", "torch") if name in sys.modules])
    """).succeed()
    assert printed == "[]\n"
