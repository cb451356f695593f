"""Code that ran is kept wherever it was loaded from, or missed aloud."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.plugins import code
from tests.git import git
from tests.process import Process

Python = Callable[..., Process]
RECORDED = "import sys, runlore\nrun = runlore.start_run(sys.argv[1])\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with the submodule `third`, which holds the module `third/model.py`."""
    library, folder = tmp_path / "library", tmp_path / "project"
    for place in (library, folder):
        place.mkdir()
        git(place, "init")
    for name in ("model.py", "old.py", "data.csv"):
        (library / name).write_text("SIZE = 1\n")
    (library / ".gitignore").write_text("__pycache__\n")
    git(library, "add", ".")
    git(library, "commit", "-m", "library")
    git(folder, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "third")
    (folder / "train.py").write_text(f"import sys; sys.path.insert(0, 'third')\nimport model\n{RECORDED}run.finish()\n")
    (folder / ".gitignore").write_text("generated.py\n__pycache__\n")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "project")
    return folder


def record(python: Python, folder: Path, name: str, script: str = "train.py", **environment: str) -> None:
    start = f"import os, runpy, sys; os.chdir({str(folder)!r}); sys.argv[0] = {script!r}; sys.path[0] = ''"
    (folder.parent / "start.py").write_text(f"{start}; os.execv(sys.executable, [sys.executable, *sys.argv])")
    python(folder.parent / "start.py", name, **environment).succeed()


def members(store: Store, name: str, artifact: str) -> dict[str, str]:
    """Return the texts of the files of a code artifact, by path; empty where the run has none."""
    found = [item for item in store.run(name).artifacts if item.kind == "code" and item.name == artifact]
    return {member.path: found[-1].blobs.read(member.sha256).decode() for member in found[-1].members} if found else {}


def missing(store: Store, name: str) -> dict[str, str]:
    return {str(item["what"]): str(item["why"]) for item in store.run(name).missing}


def test_a_module_of_a_submodule_is_kept(store: Store, project: Path, python: Python) -> None:
    record(python, project, "x")
    assert members(store, "x", code.SUBMODULES) == {"third/model.py": "SIZE = 1\n"}
    assert store.run("x").environment["git"]["dirty"] is False
    assert missing(store, "x") == {}


def test_a_submodule_with_changes_is_noticed_and_its_changed_sources_are_kept(
    store: Store, project: Path, python: Python
) -> None:
    """Its repository was once called clean, and nothing of the changes was kept or missed."""
    (project / "third" / "model.py").write_text("SIZE = 7\n")
    (project / "third" / "new.py").write_text("NEW = 1\n")
    (project / "third" / "data.csv").write_text("other\n")
    (project / "third" / "old.py").unlink()
    record(python, project, "x")
    assert members(store, "x", code.SUBMODULES) == {"third/model.py": "SIZE = 7\n", "third/new.py": "NEW = 1\n"}
    assert store.run("x").environment["git"]["dirty"] is True
    assert set(missing(store, "x")) == {"third/data.csv", "third/old.py"}
    assert all("can't be reproduced" in why for why in missing(store, "x").values())
    assert members(store, "x", code.PATCH) == {}


def test_new_files_in_a_submodule_are_no_changed_files(store: Store, project: Path, python: Python) -> None:
    (project / "third" / "model.pyc").touch()
    (project / "third" / "new.py").write_text("NEW = 1\n")
    record(python, project, "x")
    state = store.run("x").environment["git"]
    assert (state["changed_files"], state["untracked_files"]) == (0, 1)
    assert set(members(store, "x", code.SUBMODULES)) == {"third/model.py", "third/new.py"}
    assert missing(store, "x") == {}


def test_another_commit_of_a_submodule_is_in_the_patch(store: Store, project: Path, python: Python) -> None:
    git(project / "third", "commit", "--allow-empty", "-m", "next")
    record(python, project, "x")
    assert b"+Subproject commit" in store.run("x").artifact(code.PATCH).read_bytes()


def test_a_module_that_git_ignores_is_kept(store: Store, project: Path, python: Python) -> None:
    (project / "generated.py").write_text("RATE = 3\n")
    (project / "train.py").write_text(f"import generated\n{RECORDED}run.finish()\n")
    record(python, project, "x")
    assert members(store, "x", code.UNTRACKED) == {"generated.py": "RATE = 3\n"}


@pytest.mark.parametrize("with_git", [False, True])
def test_a_package_from_a_source_tree_elsewhere_is_kept_by_the_path_of_its_import(
    store: Store, tmp_path: Path, python: Python, with_git: bool
) -> None:
    """It may be installed as editable, or named by PYTHONPATH; another repository's state is not that of the script."""
    package = tmp_path / "elsewhere" / "src" / "mypackage"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "deep" / "__init__.py").write_text("from . import net\n")
    (package / "deep" / "net.py").write_text("SIZE = 3\n")
    (package / "unused.py").write_text("")
    jobs = tmp_path / "jobs"
    jobs.mkdir()
    (jobs / "train.py").write_text(f"import mypackage.deep\n{RECORDED}run.finish()\n")
    if with_git:
        git(jobs, "init")
        git(jobs, "add", ".")
        git(jobs, "commit", "-m", "jobs")
    record(python, jobs, "x", PYTHONPATH=str(package.parent))
    assert members(store, "x", code.IMPORTED) == {
        "mypackage/__init__.py": "",
        "mypackage/deep/__init__.py": "from . import net\n",
        "mypackage/deep/net.py": "SIZE = 3\n",
    }
    assert set(members(store, "x", code.SNAPSHOT)) == (set() if with_git else {"train.py"})
    assert missing(store, "x") == {}


def test_of_a_large_package_from_elsewhere_the_commit_and_the_changes_are_kept(
    store: Store, tmp_path: Path, python: Python
) -> None:
    """To mask a whole library at the start of each training would take seconds."""
    library, jobs = tmp_path / "library", tmp_path / "jobs"
    (library / "large").mkdir(parents=True)
    jobs.mkdir()
    names = ["one", "two", "new"]
    for name in ("__init__", *names):
        (library / "large" / f"{name}.py").write_text("#" * (code.MAX_IMPORTED_BYTES // 3) + "\n")
    (library / "small.py").write_text("SIZE = 1\n")
    (jobs / "train.py").write_text(f"import small, large.{', large.'.join(names)}\n{RECORDED}run.finish()\n")
    record(python, jobs, "without", PYTHONPATH=str(library))
    assert members(store, "without", code.IMPORTED) == {"small.py": "SIZE = 1\n"}
    assert "in no repository" in missing(store, "without")["large"]
    git(library, "init")
    git(library, "add", "large/__init__.py", "large/one.py", "large/two.py")
    git(library, "commit", "-m", "library")
    (library / "large" / "two.py").write_text("x = 1\n")
    (library / "large" / "new.py").write_text("x = 2\n" + "#" * (code.MAX_IMPORTED_BYTES // 2))
    record(python, jobs, "x", PYTHONPATH=str(library))
    kept = members(store, "x", code.IMPORTED)
    assert set(kept) == {"small.py", "large.commit", "large/two.py", "large/new.py"}
    assert kept["large.commit"].startswith(f"commit {git(library, 'rev-parse', 'HEAD').strip()}\n")
    assert missing(store, "x") == {}


def test_modules_of_the_same_name_are_told_apart(store: Store, tmp_path: Path, python: Python) -> None:
    work = tmp_path / "work"
    work.mkdir()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.py").write_text(f"NAME = {name!r}\n")
    (work / "train.py").write_text(f"""
import importlib.util, sys
for name in ("one", "two"):
    spec = importlib.util.spec_from_file_location(name, f"{tmp_path}/{{name}}/config.py")
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
{RECORDED}run.finish()
""")
    record(python, work, "x")
    assert sorted(members(store, "x", code.IMPORTED).values()) == ["NAME = 'one'\n", "NAME = 'two'\n"]


def test_a_script_that_is_a_link_is_kept(store: Store, tmp_path: Path, python: Python) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "shared.py").write_text(f"{RECORDED}run.finish()\n")
    (tmp_path / "work" / "train.py").symlink_to(tmp_path / "shared.py")
    record(python, tmp_path / "work", "x")
    assert set(members(store, "x", code.SNAPSHOT)) == {"train.py"}


def test_what_can_not_be_kept_is_told(store: Store, tmp_path: Path, python: Python) -> None:
    work = tmp_path / "work"
    work.mkdir()
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as packed:
        packed.writestr("zipped.py", "")
    (work / "train.py").write_text(f"""
import sys, types
import zipped
sys.modules["native"] = types.ModuleType("native")
sys.modules["native"].__file__ = "{tmp_path}/native.so"
open(sys.modules["native"].__file__, "wb").close()
{RECORDED}run.finish()
""")
    record(python, work, "x", PYTHONPATH=str(tmp_path / "packed.zip"))
    told = missing(store, "x")
    assert set(told) == {"zipped.py", "native.so"}
    assert all("can't be reproduced" in why for why in told.values())


def test_a_module_that_is_imported_while_the_run_is_open_is_kept(store: Store, project: Path, python: Python) -> None:
    (project.parent / "later.py").write_text("SIZE = 5\n")
    (project / "generated.py").write_text("RATE = 3\n")
    (project / "train.py").write_text(
        f"import sys; sys.path.insert(0, 'third'); sys.path.append('..')\n{RECORDED}"
        "run.companions.await_captures()\nimport later, model, generated, json.tool\nrun.finish()\n"
    )
    record(python, project, "x")
    assert members(store, "x", code.IMPORTED) == {"later.py": "SIZE = 5\n"}
    assert members(store, "x", code.SUBMODULES) == {"third/model.py": "SIZE = 1\n"}
    assert members(store, "x", code.UNTRACKED) == {"generated.py": "RATE = 3\n"}


def test_a_module_that_is_edited_while_the_run_is_open_is_told(store: Store, project: Path, python: Python) -> None:
    """As the code of the run stood the text that came after what ran, or the one before."""
    for folder, name in ((project, "tracked"), (project, "late"), (project.parent, "after"), (project.parent, "made")):
        (folder / f"{name}.py").write_text("SIZE = 1\n")
    git(project, "add", "tracked.py", "late.py")
    (project / "train.py").write_text(
        f"import sys; sys.path.append('..'); from pathlib import Path\n{RECORDED}run.companions.await_captures()\n"
        "import after, late\n"
        "for name in ('../after', 'late', 'tracked', '../made'): Path(name + '.py').write_text('SIZE = 23\\n')\n"
        "import tracked, made\nassert (after.SIZE, tracked.SIZE, made.SIZE) == (1, 23, 23)\nrun.finish()\n"
    )
    record(python, project, "x", PYTHONDONTWRITEBYTECODE="")
    told = missing(store, "x")
    assert "its file has changed since it was imported" in told["after.py"]
    assert "its file changed while the run was open" in told["tracked.py"]
    assert set(told) == {"after.py", "tracked.py"}, "and late.py ran as it was captured"
    assert members(store, "x", code.IMPORTED) == {"made.py": "SIZE = 23\n"}


def test_a_module_that_takes_the_place_of_another_is_kept(store: Store, tmp_path: Path, python: Python) -> None:
    """So that as many are loaded as before."""
    (tmp_path / "later.py").write_text("SIZE = 5\n")
    python("""
        import sys
        import runlore, quopri
        run = runlore.start_run("x")
        run.companions.await_captures()
        del sys.modules["quopri"]
        import later
        run.finish()
    """, PYTHONPATH=str(tmp_path)).succeed()  # fmt: skip
    assert "later.py" in {**members(store, "x", code.IMPORTED), **members(store, "x", code.SNAPSHOT)}


def test_a_run_that_imports_nothing_more_asks_git_no_more(
    store: Store, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    run = store.start_run("x")
    run.companions.await_captures()
    monkeypatch.setenv("PATH", "")
    run.finish()
    assert missing(store, "x") == {}


def test_installed_modules_and_our_own_are_no_code_of_the_users(store: Store, project: Path, python: Python) -> None:
    (project / "train.py").write_text(f"import pluggy, json\n{RECORDED}run.finish()\n")
    record(python, project, "x")
    assert [item.name for item in store.run("x").artifacts] == [code.PATCH]


def test_packages_that_were_installed_elsewhere_are_told_by_their_version(
    store: Store, tmp_path_factory: pytest.TempPathFactory, python: Python
) -> None:
    target = tmp_path_factory.mktemp("target")
    (target / "scaling-1.0.dist-info").mkdir()
    (target / "scaling.py").write_text("FACTOR = 2\n")
    python(f"import scaling\n{RECORDED}run.finish()", "x", PYTHONPATH=str(target)).succeed()
    assert members(store, "x", "imported") == {}
