"""Where runs are recorded: in odd folders, on odd disks, for users of all kinds; no training ends by it."""

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import runlore
from runlore import RunloreWarning, Store
from runlore.maintenance.diagnosis import diagnose
from tests.git import git
from tests.process import Process

Python = Callable[..., Process]
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="takes on another user")

BECOME = """
import os, tempfile, warnings
import runlore
warnings.simplefilter("always")
with tempfile.TemporaryDirectory() as folder:  # everything is imported while it can be
    with runlore.start_run("warm", store=folder + "/store"):
        pass
    runlore.open_store(folder + "/store").runs()
os.setgid(54321); os.setuid(54321)
"""
AS_ANOTHER = (
    BECOME
    + """
with runlore.start_run("mine") as run:
    run.log_metrics({"x": 1.0})
print("trained")
"""
)


@pytest.fixture
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.usefixtures("no_locks")
def test_a_disk_without_locks_records(store: Store) -> None:
    """Nothing of any run was recorded there."""
    with store.start_run("live") as run:
        run.log_metrics({"loss": 1.0})
        assert store.run("live").status == "running"
    assert (store.run("live").status, store.run("live").metrics["loss"].count) == ("finished", 1)
    assert any("without file locks" in str(finding) for finding in diagnose(store)["store"])


KILLED_WITHOUT_LOCKS = """
import errno, fcntl, os
def flock(descriptor, operation):
    raise OSError(errno.ENOSYS, "no locks")
fcntl.flock = flock
import runlore
runlore.start_run("killed").log_metrics({"loss": 1.0})
print("logged", flush=True)
os.kill(os.getpid(), 9)
"""


def test_without_locks_the_process_tells_whether_a_writer_lives(store: Store, python: Python) -> None:
    process = python(KILLED_WITHOUT_LOCKS)
    process.line()
    process.wait()
    assert store.run("killed").status == "crashed"


def test_a_working_folder_that_is_gone_ends_no_training(store: Store, tmp_path: Path, python: Python) -> None:
    python("""
        import os, tempfile, runlore
        folder = tempfile.mkdtemp(); os.chdir(folder); os.rmdir(folder)
        runlore.autolog()
        with runlore.start_run("homeless") as run:
            run.log_metrics({"loss": 1.0})
            runlore.log_params({"lr": 0.1})
    """).succeed()
    assert (store.run("homeless").status, store.run("homeless").params) == ("finished", {"lr": 0.1})


@pytest.mark.parametrize("named", ["", "runs"])
def test_a_script_that_goes_into_folders_of_its_own_has_one_store(
    tmp_path: Path, python: Python, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """Hydra changes into `outputs/<time>` before anything starts; a store of its own lay in each of these."""
    monkeypatch.delenv("RUNLORE_STORE")
    for number in range(2):
        folder = f"outputs/{number}"
        script = f"import os, runlore; os.makedirs({folder!r}); os.chdir({folder!r}); runlore.start_run('r')"
        python(script, **({"RUNLORE_STORE": named} if named else {})).succeed()
    assert len(Store(tmp_path / (named or ".runlore")).runs()) == 2


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a commit, `main`, and a linked worktree beside it, `feature`."""
    monkeypatch.delenv("RUNLORE_STORE")
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q")
    git(main, "commit", "-qm", "first", "--allow-empty")
    git(main, "worktree", "add", "-q", "../feature")
    return main


def record_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    with runlore.start_run(folder.name) as run:
        run.log_metrics({"loss": 1.0})


def test_the_runs_of_a_linked_worktree_outlive_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They had a store of their own there, which `git worktree remove` deleted without a word."""
    for folder in (repository / "../feature", repository):
        record_in(folder.resolve(), monkeypatch)
    git(repository, "worktree", "remove", "../feature")
    assert {run.name for run in runlore.open_store().runs()} == {"feature", "main"}


def test_a_worktree_of_a_bare_repository_has_its_own_store(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(repository, "clone", "-q", "--bare", ".", "../bare.git")
    git(repository.parent / "bare.git", "worktree", "add", "-q", "../tree")
    record_in(repository.parent / "tree", monkeypatch)
    assert (repository.parent / "tree" / ".runlore").is_dir()


def test_a_worktree_with_a_store_keeps_it(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = repository.parent / "feature" / ".runlore"
    Store(own).start_run("earlier").finish()
    record_in(own.parent, monkeypatch)
    assert len(Store(own).runs()) == 2


@pytest.mark.parametrize("text", ["", "gitdir: nowhere", "gitdir: ../main/.git", "gitdir: \0"])
def test_a_git_file_that_tells_no_other_tree_is_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("RUNLORE_STORE")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / ".git").write_text(text)
    record_in(tmp_path / "sub", monkeypatch)
    assert (tmp_path / "sub" / ".runlore").is_dir()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody may pass through: pytest closes its own to others whenever it starts anywhere."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@needs_root
@pytest.mark.parametrize("named", [False, True])
def test_a_store_that_root_has_made_is_told_of_and_ends_no_training(
    open_folder: Path, python: Python, monkeypatch: pytest.MonkeyPatch, named: bool
) -> None:
    monkeypatch.delenv("RUNLORE_STORE")
    Store(open_folder / ".runlore").start_run("roots").finish()
    script = AS_ANOTHER if named else f"import os; os.chdir({str(open_folder)!r})\n{AS_ANOTHER}"
    process = python(script, **({"RUNLORE_STORE": str(open_folder / ".runlore")} if named else {}))
    assert process.succeed() == "trained\n"
    assert process.err.count("nothing of run 'mine' can be recorded") == 1
    assert "belongs to user 0" in process.err


@needs_root
def test_a_user_without_a_home_reads_a_store_that_is_closed_to_writing(
    store: Store, open_folder: Path, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.start_run("shared"):
        pass
    copy = open_folder / "copy"
    shutil.copytree(store.root, copy)
    for path in (copy, *copy.rglob("*")):
        path.chmod(path.stat().st_mode | 0o055)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    printed = python(f"{BECOME}print([run.name for run in runlore.open_store({str(copy)!r}).runs()])").succeed()
    assert printed == "['shared']\n"


def test_a_broken_setting_ends_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.runlore\n")
    with pytest.warns(RunloreWarning, match=r"pyproject\.toml can't be read"), runlore.start_run("set") as run:
        run.log_metrics({"loss": 1.0})
    monkeypatch.delenv("RUNLORE_STORE")
    with pytest.warns(RunloreWarning, match="nothing of run 'set' can be recorded"), runlore.start_run("set") as run:
        run.log_metrics({"loss": 1.0})


def test_an_index_on_a_full_disk_costs_no_wait(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command once waited twenty seconds for a lock that could not be made."""
    with store.start_run("only"):
        pass
    (store.root / "index-v1.lock").mkdir()  # so it can't be opened for writing, as on a full disk
    reader = Store(store.root)
    assert len(reader.runs()) == 1
    assert reader.index.path is None  # in memory
