"""A copy of a log is never taken for the log, and what is longer is never thrown away for what is shorter."""

import os
import shutil
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runlore import Store
from runlore._ids import new_run_id
from runlore._text import status_text
from runlore.index import update
from runlore.index.changes import read_news
from runlore.log import liveness
from runlore.log.folder import holds_more
from runlore.log.sealing import seal
from tests.commands import runlore
from tests.forged import ForgedStore
from tests.process import Process

LIVE = """
import time
import runlore
run = runlore.start_run("job")
run.log_metrics({"loss": 1.0}, 0)
print("logged", flush=True)
time.sleep(100)
"""


def copy(store: Store, folder: Path) -> Store:
    """Copy a store over another one, as `cp -a` and rsync do, but for the index and drafts."""
    shutil.copytree(store.root, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("index*", ".*.tmp"))
    return Store(folder)


def test_an_index_that_came_along_with_copied_runs_is_not_believed(tmp_path: Path) -> None:
    """Two stores are merged by copying one over the other, times and all: the runs of that day were hidden."""
    for name in ("a", "b"):
        with Store(tmp_path / name).start_run(f"from-{name}"):
            pass
        (day,) = (tmp_path / name / "runs").glob("*/*")
        os.utime(day, (1e9, 1e9))
        assert len(Store(tmp_path / name).runs()) == 1
    shutil.copytree(tmp_path / "a", tmp_path / "b", dirs_exist_ok=True)
    assert {run.name for run in Store(tmp_path / "b").runs()} == {"from-a", "from-b"}


def names(store: Store) -> set[str]:
    return {path.suffix for path in (store.root / "runs").rglob("*.*")}


def test_a_copy_of_a_live_log_is_not_sealed_and_grows_by_a_later_copy(store: Store, tmp_path: Path) -> None:
    run = store.start_run("job")
    run.log_metrics({"loss": 1.0})
    copied = copy(store, tmp_path / "b")
    assert (copied.run("job").status, names(copied)) == ("running", {".log"})
    run.log_metrics({"loss": 0.5})
    copy(store, tmp_path / "b")
    assert copied.run("job").metrics["loss"].values.tolist() == [1.0, 0.5]
    run.finish()
    copy(store, tmp_path / "b")
    assert (copied.run("job").status, len(copied.runs())) == ("finished", 1)
    assert names(copied) == {".run"}  # the log that the sealed file was made of is not needed any more
    assert copied.run("job").metrics["loss"].values.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(("machine", "status"), [("this", "crashed"), ("another", "silent")])
def test_what_can_not_be_known_from_here_is_not_called_crashed(
    store: Store, monkeypatch: pytest.MonkeyPatch, python: Callable[..., Process], machine: str, status: str
) -> None:
    process = python(LIVE)
    process.line()
    process.kill()
    (log,) = store.root.rglob("*.log")
    os.utime(log, (0, 0))
    monkeypatch.setattr(liveness, "boot_id", lambda: "of another start")
    if machine == "another":
        monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(nodename=machine))
    found = store.run("job")
    assert (found.status, [segment.status for segment in found.segments]) == (status, [status])
    assert found.ended is not None
    assert found.ended - found.started < timedelta(minutes=1)
    assert log.exists()


def test_the_time_that_a_run_was_last_heard_of_is_told() -> None:
    now = datetime.now(UTC)
    assert status_text("silent", now) == f"not heard of since {now:%H:%M} UTC"
    assert status_text("silent", datetime(2026, 2, 3, tzinfo=UTC)) == "not heard of since 2026-02-03"
    assert status_text("crashed", now) == "crashed"


def test_a_copy_of_a_dead_log_stays_as_it_is(store: Store, tmp_path: Path, python: Callable[..., Process]) -> None:
    process = python(LIVE)
    process.line()
    process.kill()
    copied = copy(store, tmp_path / "b")
    (log,) = copied.root.rglob("*.log")
    os.utime(log, (0, 0))
    assert copied.run("job").status == "silent"  # it may have gone on elsewhere
    for command in (["ls"], ["show", "job"]):
        assert "not heard of since " in runlore(*command, "--store", str(copied.root)).stdout
    assert len(copied.runs("status == 'silent'")) == 1
    assert copied.reindex() == 1
    assert names(copied) == {".log"}
    assert store.run("job").status == "crashed"
    assert names(store) == {".run"}  # of the log itself it is known that nobody writes to it any more


@pytest.mark.parametrize("cut", [0, 100])
def test_a_longer_log_is_not_hidden_by_a_file_that_was_made_of_a_shorter_one(
    store: Store, tmp_path: Path, cut: int
) -> None:
    """`cut` bytes of the sealed file have not arrived."""
    run = store.start_run("job")
    run.log_metrics({"loss": 1.0})
    copied = copy(store, tmp_path / "b")
    (log,) = copied.root.rglob("*.log")
    sealed = seal(log)
    assert sealed is not None
    os.truncate(sealed, sealed.stat().st_size - cut)
    run.log_metrics({"loss": 0.5})
    copy(store, tmp_path / "b")
    assert holds_more(log, sealed)
    for _ in range(2):
        assert copied.run("job").metrics["loss"].values.tolist() == [1.0, 0.5]
        assert copied.reindex() == 1
        assert log.exists()
    run.finish()


def test_what_was_added_to_a_run_does_not_make_it_crash_while_its_own_file_arrives(store: Store) -> None:
    """A tag of the run had arrived, and told when it was given."""
    with store.start_run("big"):
        pass
    (path,) = store.root.rglob("*.run")
    store.run("big").note("arrives first")
    path.write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is damaged
        assert [found.status for found in store.runs()] == ["damaged"]


@pytest.mark.parametrize("cut", [0, 10, 2000])
def test_a_file_that_was_still_arriving_is_looked_at_again(store: Store, cut: int) -> None:
    """Half a file was remembered as a nameless crashed run for ever, without a word."""
    with store.start_run("big", params={"lr": 0.1}) as run:
        for step in range(2000):
            run.log_metrics({"loss": float(step % 977)})
    (path,) = store.root.rglob("*.run")
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is damaged
        assert [(found.name, found.status) for found in store.runs()] == [("", "damaged")]
    assert "damaged or still arriving" in runlore("ls", "--store", str(store.root)).stderr
    assert "damaged or still arriving" in runlore("doctor", "--store", str(store.root)).stdout
    path.write_bytes(whole)
    (found,) = store.runs()
    assert (found.name, found.status, found.metrics["loss"].count) == ("big", "finished", 2000)
    assert "arriving" not in runlore("ls", "--store", str(store.root)).stderr


def test_a_log_that_holds_no_more_than_its_sealed_file_is_removed(store: Store, tmp_path: Path) -> None:
    with store.start_run("job") as run:
        run.log_metrics({"loss": 1.0})
        copied = copy(store, tmp_path / "b")
    copy(store, tmp_path / "b")
    (log,) = copied.root.rglob("*.log")
    (sealed,) = copied.root.rglob("*.run")
    assert not holds_more(log, sealed)
    assert (copied.run("job").status, log.exists()) == ("finished", False)


def test_a_silent_log_is_read_again_only_once_it_may_say_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each question read all of those in a store that came from another machine."""
    forged = ForgedStore(tmp_path / "store")
    forged.run(end={"type": "note", "text": "it has no end"})
    (log,) = forged.root.rglob("*.log")
    store = Store(forged.root)

    def status() -> str:
        (run,) = store.runs()
        assert not store.ask(lambda database: next(read_news(store.folder, database)))
        return run.status

    os.utime(log, (0, 0))
    assert status() == "silent"
    os.utime(log)  # it was heard of
    assert store.runs()[0].status == "running"
    os.utime(log, (0, 0))
    assert status() == "silent"
    for module in (liveness, update):  # on the machine that wrote it nobody does any more
        monkeypatch.setattr(module, "boot_id", lambda: "0")
    assert Store(forged.root).runs()[0].status == "crashed"
    assert not log.exists()


def test_the_clock_of_a_folder_is_not_asked_for_each_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that was just copied holds hundreds of logs which may be written elsewhere."""
    forged = ForgedStore(tmp_path / "store")
    for number in range(20):
        forged.run(name=f"run-{number}", run=new_run_id(1_700_000_000_000_000))
    store = Store(forged.root)
    asked: list[str] = []
    opened = os.open

    def noted(path: Any, *arguments: Any, **options: Any) -> int:
        asked.extend([path] if str(path).startswith(".clock-") else [])
        return opened(path, *arguments, **options)

    monkeypatch.setattr(os, "open", noted)
    assert len(store.runs()) == 20
    assert 1 <= len(asked) < 10  # once a second
