"""A log whose folder is renamed or removed while it is written: nothing of it is lost, and one warning tells."""

import errno
import os
import shutil
import subprocess
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from runlore import RunloreWarning, Store, hookimpl
from runlore.api import Run
from runlore.hookspecs import LoggedPoints
from runlore.log import file
from runlore.log.folder import place_of
from tests.process import Process

REMOVED = "was removed while it was written"


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at each row."""
    monkeypatch.setattr(file, "LOOK_US", 0)


class Observer:
    """Hears values."""

    def __init__(self) -> None:
        self.heard: list[float] = []

    @hookimpl
    def runlore_points_logged(self, points: Sequence[LoggedPoints]) -> None:
        self.heard.extend(value for item in points for value in item.values)


def remove(store: Store) -> None:
    subprocess.run(["rm", "-rf", str(store.root)], check=True)


@pytest.mark.usefixtures("now")
def test_a_store_that_is_removed_is_told_of_at_once_and_the_run_is_kept(store: Store, tmp_path: Path) -> None:
    """All of it was lost, without a word."""
    lost, late = tmp_path / "lost.bin", tmp_path / "late.bin"
    lost.write_bytes(b"w")
    late.write_bytes(b"v")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        run = store.start_run("homeless", params={"lr": 0.1})
        run.log_metrics({"loss": 2.0})
        run.log_artifact(lost)
        run.companions.await_captures()
        for value in (1.0, 0.5):
            remove(store)
            run.log_metrics({"loss": value})
            assert store.run("homeless").metrics["loss"].last == value
            assert store.run("homeless").status == "running"
        run.log_artifact(late)
        run.finish()
    assert [REMOVED in str(item.message) for item in caught] == [True]
    found = store.run("homeless")
    assert (found.status, found.params) == ("finished", {"lr": 0.1})
    assert found.metrics["loss"].values.tolist() == [2.0, 1.0, 0.5]
    assert found.artifact("late.bin").read_bytes() == b"v"
    assert found.environment["python"]["version"]
    gone = found.artifact("lost.bin")
    assert (gone.stored, gone.why) == (False, "the store was removed while the run was recorded")


def test_a_store_that_is_removed_just_before_the_end_is_told_of_then(store: Store) -> None:
    run = store.start_run("late")
    run.log_metrics({"loss": 1.0})
    run.companions.await_captures()
    remove(store)
    with pytest.warns(RunloreWarning, match=REMOVED):
        run.finish()
    assert (store.run("late").status, store.run("late").metrics["loss"].count) == ("finished", 1)


@pytest.mark.usefixtures("now")
def test_a_project_that_is_removed_is_not_made_anew(tmp_path: Path) -> None:
    store = Store(tmp_path / "project" / ".runlore")
    run = store.start_run("lost")
    run.companions.await_captures()
    shutil.rmtree(tmp_path / "project")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(3):
            run.log_metrics({"loss": 1.0}, step)
        run.log_artifact(__file__)
        run.finish()
    assert ["the folder that the store lay in is gone, too" in str(item.message) for item in caught] == [True, False]
    assert not (tmp_path / "project").exists()


@pytest.mark.usefixtures("now")
@pytest.mark.filterwarnings("ignore:.*was removed while it was written")
def test_a_log_that_can_not_be_written_anew_does_not_hold_training_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each second a large one was copied again, on a disk that had no room for it."""
    tries: list[Path] = []

    def no_room(path: Path, root: Path) -> None:
        tries.append(path)
        time.sleep(0.02)
        raise OSError(errno.ENOSPC, "no room")

    run = store.start_run("large")
    run.companions.await_captures()
    remove(store)
    with monkeypatch.context() as patch:
        patch.setattr(file, "make_folder", no_room)
        for step in range(20):
            run.log_metrics({"loss": float(step)}, step)
    assert len(tries) == 1
    run.finish()
    assert store.run("large").metrics["loss"].count == 20, "at its end it is tried once more"


@pytest.mark.usefixtures("now")
def test_observers_hear_what_comes_after_a_removal(store: Store, plug: Any) -> None:
    observer = plug(Observer())
    with pytest.warns(RunloreWarning, match=REMOVED):
        run = store.start_run("watched")
        for step in range(4):
            run.log_metrics({"loss": float(step)}, step)
            run.companions.drain()
            if step == 1:
                remove(store)
        run.finish()
    assert observer.heard == [0.0, 1.0, 2.0, 3.0]


@pytest.fixture
def renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Run, Store]]:
    """A run whose project was renamed, and the store as it lies now."""
    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    run = Store(tmp_path / "before" / ".runlore").start_run("moved", params={"lr": 0.1})
    run.log_metrics({"loss": 1.0})
    run.companions.await_captures()
    (tmp_path / "before").rename(tmp_path / "after")
    yield run, Store(tmp_path / "after" / ".runlore")
    assert not (tmp_path / "before").exists()


def test_a_renamed_project_keeps_what_is_logged(renamed: tuple[Run, Store], tmp_path: Path) -> None:
    """Files went to the old place, and read as kept where they could not be restored."""
    run, store = renamed
    model = tmp_path / "model.bin"
    model.write_bytes(b"w")
    run.log_artifact(model)
    print("printed")
    run.log_metrics({"loss": 0.5})
    with store.start_run("child", parent=run):
        pass
    run.finish()
    found = store.run("moved")
    assert (found.status, found.missing) == ("finished", [])
    assert found.metrics["loss"].values.tolist() == [1.0, 0.5]
    assert found.artifact("model.bin").read_bytes() == b"w"
    assert b"printed" in found.artifact("output.log").read_bytes()
    assert not [path for path in store.root.rglob("*") if path.suffix in (".log", ".out", ".tmp")]


def log_forked(run: Run) -> None:
    """Log a point in a forked child."""
    pid = os.fork()
    if not pid:
        run.log_metrics({"loss": 0.125}, step=2)
        run.finish()
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_child_that_is_forked_just_after_a_project_was_renamed_writes_where_it_lies(
    renamed: tuple[Run, Store],
) -> None:
    """It made a store anew where the project had been."""
    run, store = renamed
    log_forked(run)
    run.finish()
    assert store.run("moved").metrics["loss"].values.tolist() == [1.0, 0.125]


def test_a_renamed_project_takes_what_a_forked_child_and_a_rewind_write(renamed: tuple[Run, Store]) -> None:
    run, store = renamed
    run.run_log.rewind(0)
    run.log_metrics({"loss": 0.25}, step=1)
    log_forked(run)
    run.finish()
    assert store.run("moved").metrics["loss"].values.tolist() == [1.0, 0.25, 0.125]


TERMINATED = """
import os, signal, time
import runlore
run = runlore.start_run("moved")
run.companions.await_captures()
os.rename(os.environ["RUNLORE_STORE"], "after")
run.log_metrics({"loss": 1.0})
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""


def test_a_renamed_store_hears_of_sigterm(tmp_path: Path, python: Callable[..., Process]) -> None:
    python(TERMINATED).wait()
    assert Store(tmp_path / "after").run("moved").status == "interrupted"


def test_a_log_that_was_written_anew_is_sealed_when_its_writer_dies(
    store: Store, python: Callable[..., Process]
) -> None:
    process = python("""
        import os, shutil, time, warnings
        import runlore
        warnings.simplefilter("ignore")
        run = runlore.start_run("killed")
        run.companions.await_captures()
        shutil.rmtree(os.environ["RUNLORE_STORE"])
        time.sleep(1.1)
        run.log_metrics({"loss": 1.0})
        os.kill(os.getpid(), 9)
    """)
    process.wait()
    assert (store.run("killed").status, store.run("killed").metrics["loss"].count) == ("crashed", 1)
    assert not list(store.root.rglob("*.log"))


def test_a_place_follows_a_file(tmp_path: Path) -> None:
    known = tmp_path / "a" / "x.log"
    known.parent.mkdir()
    descriptor = os.open(known, os.O_CREAT | os.O_RDWR)
    try:
        assert place_of(descriptor, known) == known
        known.parent.rename(tmp_path / "b")
        assert place_of(descriptor, known) == tmp_path / "b" / "x.log"
        (tmp_path / "a").mkdir()
        known.write_bytes(b"another file of its name")
        assert place_of(descriptor, known) == tmp_path / "b" / "x.log"
        (tmp_path / "b" / "x.log").rename(tmp_path / "b" / ".nfs0001")  # as NFS does instead of removing
        assert place_of(descriptor, known) is None
        (tmp_path / "b" / ".nfs0001").unlink()
        assert place_of(descriptor, known) is None
    finally:
        os.close(descriptor)


@pytest.mark.filterwarnings("ignore:.*was removed while it was written")
def test_a_child_that_logs_while_the_store_is_gone_comes_behind_its_parent(store: Store) -> None:
    """Its file had the place of the parent's: chance told which one came first, and so which points were lost."""
    run = store.start_run("parent")
    run.log_metrics({"loss": 1.0})
    run.companions.await_captures()
    remove(store)
    child = os.fork()
    if not child:
        run.log_metrics({"loss": 2.0})
        os._exit(0)
    os.waitpid(child, 0)
    run.log_metrics({"loss": 3.0})
    run.finish()
    assert [item.ordinal for item in store.folder.files_of(run.id)] == [0, 1]
    assert store.run("parent").metrics["loss"].values.tolist() == [1.0, 3.0, 2.0]
