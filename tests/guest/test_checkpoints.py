"""Checkpoints of a framework: told at once, hashed and kept beside the training, completed by readers."""

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from runlore import FitSession, Store, hookimpl
from runlore.artifacts import events
from runlore.cli import main
from runlore.errors import ArtifactNotFound
from runlore.guest import checkpoints
from runlore.hookspecs import CapturedFile
from runlore.log import liveness
from tests.process import Process


def begin() -> FitSession:
    return FitSession.begin("own")


def records(store: Store) -> list[Any]:
    (run,) = store.runs()
    return [item for item in run.artifacts if item.kind == "checkpoint"]


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_a_checkpoint_is_told_before_it_is_hashed(store: Store, tmp_path: Path) -> None:
    session = begin()
    written: list[Any] = []
    session.checkpoint(tmp_path / "a.bin", step=3, epoch=1.5, monitor="loss", value=0.25, later=written.append)
    (item,) = records(store)
    assert (item.name, item.step, item.epoch, item.monitor, item.value) == ("a.bin", 3, 1.5, "loss", 0.25)
    assert (item.sha256, item.size, item.present) == (None, None, True)
    write(tmp_path / "a.bin", b"content")
    written.pop()()
    session.end()
    (item,) = records(store)
    assert (item.sha256, item.size, item.stored, item.roles) == (digest(b"content"), 7, True, ("last",))


def test_the_best_one_is_found_by_its_metric_whether_or_not_several_rank(store: Store, tmp_path: Path) -> None:
    """With one callback that ranks its role is `best`, with several it is `best_<metric>`."""
    with begin() as session:
        session.checkpoint(write(tmp_path / "a.bin", b"a"), monitor="loss", value=0.5, roles=("best",))
        session.checkpoint(write(tmp_path / "b.bin", b"b"), monitor="loss", value=0.2, roles=("best", "last"))
        session.checkpoint(write(tmp_path / "c.bin", b"c"), monitor="acc", value=0.9, roles=("best_acc",))
    (run,) = store.runs()
    assert [run.artifact(role).name for role in ("best", "best_loss", "best_acc")] == ["b.bin", "b.bin", "c.bin"]
    with pytest.raises(ArtifactNotFound, match="'best_recall'"):
        run.artifact("best_recall")


def test_a_file_that_is_written_again_has_a_version_for_each_content(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "last.bin"
    session = begin()
    for step in range(3):
        write(path, bytes([step]) * 1000)
        session.checkpoint(path, step=step)
    session.end()
    found = records(store)
    assert [(item.step, item.present, item.roles) for item in found] == [
        (0, False, ()),
        (1, False, ()),
        (2, True, ("last",)),
    ]
    for item in found:
        assert item.sha256 == digest(bytes([item.step]) * 1000) or item.why.startswith("it was changed")
    assert found[-1].stored


def test_a_folder_is_one_artifact_of_many_files(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "step-5" / "model.bin", b"model")
    write(tmp_path / "step-5" / "state" / "rank0.bin", b"state")
    with begin() as session:
        session.checkpoint(tmp_path / "step-5", step=5)
    (item,) = records(store)
    assert [member.path for member in item.members] == ["model.bin", "state/rank0.bin"]
    restored = item.restore(tmp_path / "out")
    assert (restored / "state" / "rank0.bin").read_bytes() == b"state"
    lines = f"{digest(b'model')}  model.bin\n{digest(b'state')}  state/rank0.bin\n"
    assert item.sha256 == digest("".join(sorted(lines.splitlines(True))).encode())


class Holding:
    """Keeps what is to be kept waiting."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.released = threading.Event()

    @hookimpl
    def runlore_rewrite_file(self, file: CapturedFile) -> None:
        if file.kind == "model":
            self.asked.set()
            self.released.wait(20)


@pytest.fixture
def holding(runlore_plugins: Callable[[Any], Any]) -> Any:
    return runlore_plugins(Holding())


def test_what_is_not_done_at_the_end_is_done_by_the_next_reader(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    monkeypatch.setattr(checkpoints, "END_WAIT_S", 0.1)
    session = begin()
    session.checkpoint(write(tmp_path / "first.bin", b"first"), step=1, roles=("best",))
    session.checkpoint(write(tmp_path / "second.bin", b"second"), step=2)
    began = time.monotonic()
    session.end()
    assert time.monotonic() - began < 4
    (run,) = store.runs()
    assert run.status == "finished"
    assert [item.stored for item in records(store)] == [False, False]
    holding.released.set()
    done = CliRunner().invoke(main, ["restore", run.name, "--to", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "first.bin").read_bytes() == b"first"
    assert [item.sha256 for item in records(store)] == [digest(b"first"), digest(b"second")]
    assert [item.stored for item in records(store)] == [True, True]


def test_what_a_killed_process_left_is_hashed_by_the_next_reader(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    process = python("""
        import os, time
        from pathlib import Path
        from runlore import FitSession
        session = FitSession.begin("own")
        Path("a.bin").write_bytes(b"content")
        session.checkpoint("a.bin", step=1, later=lambda written: None)
        os.kill(os.getpid(), 9)
    """)
    assert process.wait() == -9
    name = store.runs()[0].name
    assert records(store)[0].sha256 is None
    assert CliRunner().invoke(main, ["show", name]).exit_code == 0
    assert records(store)[0].sha256 == digest(b"content")
    assert not records(store)[0].stored


def test_a_file_that_changed_meanwhile_never_has_the_wrong_hash(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", "all")
    path = write(tmp_path / "a.bin", b"first")
    session = begin()
    session.checkpoint(write(tmp_path / "other.bin", b"other"), step=0)
    session.checkpoint(path, step=1)
    assert holding.asked.wait(20)
    write(path, b"second, longer")
    holding.released.set()
    session.end()
    item = records(store)[-1]
    assert (item.sha256, item.stored) == (None, False)
    assert item.why == "it was changed before it was hashed"


def test_each_version_of_a_path_that_a_thread_writes_has_its_own_hash(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "last.bin"
    with ThreadPoolExecutor(1) as executor, begin() as session:
        for step in range(20):
            executor.submit(write, path, bytes([step]) * 1000)
            session.checkpoint(path, step=step, later=executor.submit)
        executor.submit(int).result()
    for item in records(store):
        assert item.sha256 == digest(bytes([item.step]) * 1000) or "was changed" in item.why
    assert (records(store)[-1].sha256, records(store)[-1].stored) == (digest(bytes([19]) * 1000), True)


def test_a_removed_checkpoint_is_recorded_as_gone(store: Store, tmp_path: Path) -> None:
    session = begin()
    for step in (1, 2):
        session.checkpoint(write(tmp_path / f"{step}" / "model.bin", bytes([step])).parent, step=step)
    with session.removing(tmp_path / "1"):
        shutil.rmtree(tmp_path / "1")
    with pytest.raises(OSError), session.removing(tmp_path / "2"):  # noqa: PT011  # whatever the framework raises
        raise OSError
    session.end()
    assert [(item.name, item.present) for item in records(store)] == [("1", False), ("2", True)]


def test_a_removal_on_a_network_disk_does_not_wait_for_a_hash(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", "all")
    monkeypatch.setattr(checkpoints, "REMOVAL_WAIT_S", 0.1)
    kinds = {line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    monkeypatch.setattr(liveness, "NETWORK_DISKS", kinds)  # as if this one were one
    liveness._is_network_device.cache_clear()
    session = begin()
    session.checkpoint(write(tmp_path / "first.bin", b"1"), step=1)
    session.checkpoint(write(tmp_path / "second.bin", b"2"), step=2)
    assert holding.asked.wait(20)
    with session.removing(tmp_path / "second.bin"):
        (tmp_path / "second.bin").unlink()
    holding.released.set()
    session.end()
    liveness._is_network_device.cache_clear()
    first, second = records(store)
    assert first.sha256 == digest(b"1")
    assert (second.present, second.sha256, second.why) == (False, None, "it was removed before it was hashed")


@pytest.mark.parametrize("policy", ["best", "all"])
def test_a_large_checkpoint_is_not_copied(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str
) -> None:
    monkeypatch.setenv("RUNLORE_CHECKPOINTS", policy)
    monkeypatch.setattr(events, "MAX_COPY_BYTES", 1 << 20)
    with begin() as session:
        session.checkpoint(write(tmp_path / "large.bin", bytes(2 << 20)), step=1)
    (item,) = records(store)
    assert item.sha256 == digest(bytes(2 << 20))
    assert not item.stored
    assert item.why == "not kept: larger than the 1 MiB that a copy may have here"


def test_a_remote_path_is_told_and_left_alone(store: Store) -> None:
    with begin() as session:
        session.checkpoint("s3://bucket/model.ckpt", step=1)
    (item,) = records(store)
    assert (item.path, item.sha256, item.why) == ("s3://bucket/model.ckpt", None, "it is not on a disk of this machine")


def test_no_thread_and_no_file_is_left_open(store: Store, tmp_path: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    with begin() as session:
        session.checkpoint(write(tmp_path / "a.bin", b"a"), step=1)
    before, threads = count(), threading.active_count()
    for number in range(20):
        with begin() as session:
            session.checkpoint(write(tmp_path / f"{number}.bin", bytes([number])), step=1)
    assert count() <= before + 1
    assert threading.active_count() <= threads
    assert len(store.runs()) == 21


def test_a_checkpoint_with_a_secret_is_not_kept(store: Store, tmp_path: Path) -> None:
    secret = "sk-ant-api03-Zk4vQ9wXr2LmN8pT1sYb"
    with FitSession.begin("own", params=lambda: {"api_key": secret}) as session:
        session.checkpoint(write(tmp_path / "a.bin", b"\0" * 100 + secret.encode() + b"\0"), step=1)
    (item,) = records(store)
    assert (item.stored, len(item.sha256)) == (False, 64)
    assert "secret" in item.why
    assert not [path for path in store.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_many_checkpoints_are_read_quickly_enough(store: Store, tmp_path: Path) -> None:
    """Each event looks at what it concerns, not at all the earlier ones."""
    path = write(tmp_path / "a.bin", b"a")
    with store.start_run("many") as run:
        common = {"type": "artifact", "kind": "checkpoint", "size": 1, "sha256": None, "stored": False, "epoch": 1}
        for step in range(20_000):
            run.run_log.event(
                {**common, "name": f"{step}", "path": f"{path}{step}", "id": f"{step}", "step": step, "roles": ["last"]}
            )
            run.run_log.event({"type": "removed", "path": f"{path}{step - 1}"})
    found = store.run("many").artifacts
    assert [item.present for item in found].count(True) == 1
    assert [item.roles for item in found].count(("last",)) == 1


def test_what_somebody_wrote_later_is_not_the_dead_runs(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    process = python("""
        import os
        from runlore import FitSession, guest
        session = FitSession.begin("own", guest.FitRequest(name="dead"))
        session.checkpoint("last.bin", step=1, later=lambda written: None)  # the thread never gets to it
        os.kill(os.getpid(), 9)
    """)
    assert process.wait() == -9
    write(tmp_path / "last.bin", b"another's")
    os.utime(tmp_path / "last.bin", (time.time() + 60,) * 2)
    assert CliRunner().invoke(main, ["which-run", str(tmp_path / "last.bin")]).exit_code == 1
    assert records(store)[0].why == "it was written after the run had ended"


@pytest.mark.parametrize("path", ["fifo", "nul"])
def test_what_is_no_file_is_never_read(store: Store, tmp_path: Path, path: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    with store.start_run("odd") as run:
        event = {"type": "artifact", "name": "x", "kind": "checkpoint", "size": 0, "sha256": None, "stored": False}
        place = str(tmp_path / "fifo") if path == "fifo" else "a\0b"
        run.run_log.event({**event, "path": place, "pending": True, "mtime_ns": 0, "step": 1, "epoch": 1, "roles": []})
    assert CliRunner().invoke(main, ["show", "odd"]).exit_code == 0
    assert CliRunner().invoke(main, ["which-run", "0123456789"]).exit_code == 1
    assert records(store)[0].why.startswith("it could not be hashed")


def test_a_completion_can_not_change_what_a_file_is(store: Store) -> None:
    with store.start_run("named") as run:
        event = {"type": "artifact", "id": "i", "path": "/x", "sha256": "0" * 64}
        run.run_log.event({**event, "name": "x", "kind": "checkpoint", "size": 1, "stored": False, "roles": ["last"]})
        run.run_log.event({**event, "completes": True, "name": None, "kind": 5, "roles": [], "stored": True})
    (item,) = store.run("named").artifacts
    assert (item.name, item.kind, item.roles) == ("x", "checkpoint", ("last",))


def test_a_hash_that_comes_after_the_wish_to_keep_does_not_settle_it(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path / "a.bin", b"a")
    when = path.stat().st_mtime_ns
    with store.start_run("late") as run:
        event = {"type": "artifact", "id": "i", "path": str(path)}
        new = {"name": "a.bin", "kind": "checkpoint", "size": 1, "mtime_ns": when, "stored": False, "pending": True}
        run.run_log.event({**event, **new, "sha256": None, "step": 1, "epoch": 1, "roles": ["last"]})
        run.run_log.event({**event, "completes": True, "pending": True, "keep": True})
        run.run_log.event({**event, "completes": True, "sha256": digest(b"a"), "size": 1, "mtime_ns": when})
    assert CliRunner().invoke(main, ["show", "late"]).exit_code == 0
    (item,) = store.run("late").artifacts
    assert (item.stored, item.sha256) == (True, digest(b"a"))


def test_a_wait_that_is_cut_off_leaves_the_rest_to_a_reader(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holding: Holding
) -> None:
    session = begin()
    session.checkpoint(write(tmp_path / "a.bin", b"a"), step=1)
    main_thread = threading.main_thread().ident or 0  # a signal to another thread would not wake it
    threading.Timer(0.3, lambda: signal.pthread_kill(main_thread, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        session.end()
    holding.released.set()
    name = store.runs()[0].name
    assert CliRunner().invoke(main, ["show", name]).exit_code == 0
    assert records(store)[0].stored


def test_a_run_that_its_user_ends_within_the_fit_leaves_no_thread(store: Store, tmp_path: Path) -> None:
    with store.start_run("mine") as mine:
        session = begin()
        session.checkpoint(write(tmp_path / "a.bin", b"a"), step=1)
        mine.finish()
        session.end()
    for thread in threading.enumerate():
        if thread.name == "runlore-checkpoints":
            thread.join(10)
            assert not thread.is_alive()
