"""The file of a log: one write a call, and a full, read-only or vanished disk costs points, never the training."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from runlore import RunloreWarning, Store, open_store
from runlore.api import Run
from runlore.log import liveness
from runlore.log.file import LogFile
from runlore.log.reader import read_log
from runlore.log.writer import LogWriter
from tests.process import Process

KIB = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def settle(run: Run) -> None:
    """Wait until the environment is recorded."""
    run.companions.await_captures()


def fill(place: Path) -> Path:
    """Take all the room that there is."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass
    return ballast


def test_a_full_disk_costs_points_and_one_warning_and_the_run_says_how_many(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    run = store.start_run("full", params={"lr": 0.1})
    settle(run)
    run.log_metrics({"loss": 0.0}, step=0)
    ballast = fill(small_disk)
    with pytest.warns(RunloreWarning, match=r"(?i)no space left.*Training goes on") as caught:
        for step in range(1, 2000):
            run.log_metrics({"loss": float(step)}, step=step)
        run.set_tags({"kept": "in memory"})
    assert len(caught) == 1
    ballast.unlink()
    run.log_metrics({"loss": 2000.0}, step=2000)
    run.finish()
    found = store.run("full")
    steps = found.metrics["loss"].steps.tolist()
    lost = 2001 - len(steps)
    assert (steps[0], steps[-1], found.status) == (0, 2000, "finished")
    assert found.missing == [{"what": f"{lost} log calls", "why": "No space left on device"}]
    assert found.tags == {"kept": "in memory"}


def test_a_disk_that_stays_full_still_takes_the_end(small_disk: Path) -> None:
    store = Store(small_disk / "store")
    run = store.start_run("full")
    settle(run)
    store.runs()
    with pytest.warns(RunloreWarning, match="Training goes on"):
        fill(small_disk)
        for step in range(2000):
            run.log_metrics({"loss": float(step)}, step=step)
        run.finish("failed", ValueError("long " * 1000))
    (small_disk / "ballast").unlink()
    found = open_store(store.root).run("full")
    assert found.status == "failed"
    assert found.error is not None
    assert found.error["type"] == "ValueError"
    assert found.missing[0]["why"] == "No space left on device"


def test_a_disk_that_is_full_from_the_start_stops_nobody(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.warns(RunloreWarning, match="nothing of run 'unlucky' can be recorded.*RUNLORE_STORE") as caught:
        run = Store(small_disk / "store").start_run("unlucky", params={"lr": 0.1})
        run.log_metrics({"loss": 1.0})
        run.log_artifact(__file__)
        run.finish()
    assert len([item for item in caught if "nothing of run" in str(item.message)]) == 1


def test_a_place_where_no_folder_can_be_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.warns(RunloreWarning, match="Not a directory"),
        Store(tmp_path / "file" / "store").start_run("x") as run,
    ):
        run.log_metrics({"loss": 1.0})


def test_a_store_that_vanishes_in_mid_training_stops_nobody(store: Store, tmp_path: Path) -> None:
    run = store.start_run("homeless")
    run.log_metrics({"loss": 1.0})
    settle(run)
    subprocess.run(["rm", "-rf", str(store.root)], check=True)
    for step in range(10):
        run.log_metrics({"loss": float(step)})
    with pytest.warns(RunloreWarning, match="removed while it was written"):
        run.finish()
    assert store.run("homeless").metrics["loss"].count == 11


def test_a_disk_that_turns_read_only_stops_nobody(small_disk: Path, python: Callable[..., Process]) -> None:
    store = Store(small_disk / "store")
    script = "import runlore; runlore.start_run('before').finish(); runlore.open_store().runs()"
    python(script, RUNLORE_STORE=str(store.root)).succeed()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.warns(RunloreWarning, match=r"nothing of run 'after' can be recorded.*[Rr]ead-only"):
        run = store.start_run("after")
        run.log_metrics({"loss": 1.0})
        run.finish()
    assert [found.name for found in open_store(store.root).runs()] == ["before"]


# The file itself


def writes() -> int:
    """The calls of write(2) that this thread has made."""
    counts = dict(line.split(": ") for line in Path("/proc/thread-self/io").read_text().splitlines())
    return int(counts["syscw"])


def test_a_call_is_one_write(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, "one", {"type": "open", "mode": "start"})
    writer.row({"loss": 1.0, "acc": 0.5})  # with the definition of its keys
    before = writes()
    for step in range(100):
        writer.row({"loss": 1.0, "acc": 0.5}, step)
    assert writes() - before == 100
    before = writes()
    writer.row({"new": 0.5})
    writer.event({"type": "note", "text": "a"})
    assert writes() - before == 2
    writer.finish(None)


def test_a_closed_log_touches_no_file_that_got_its_descriptor(tmp_path: Path) -> None:
    file = LogFile(tmp_path, "closed", {"type": "open", "mode": "start"})
    os.utime(file.path, (1, 1))
    file.touch()
    assert file.path.stat().st_mtime > 1
    file.finish(None)
    others = [tmp_path / f"other-{number}" for number in range(20)]  # one of them gets the number of the descriptor
    opened = [path.open("w") for path in others]
    for path in others:
        os.utime(path, (1, 1))
    file.touch()
    assert [path.stat().st_mtime for path in others] == [1] * 20
    for stream in opened:
        stream.close()


def test_the_heartbeat_goes_on_until_the_log_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {line.split()[2] for line in Path("/proc/mounts").read_text().splitlines()}
    monkeypatch.setattr(liveness, "NETWORK_DISKS", kinds)  # as if this one were one
    monkeypatch.setattr(liveness, "HEARTBEAT_S", 0.01)
    day = tmp_path / "month" / "day"
    day.mkdir(parents=True)
    file = LogFile(day, "far", {"type": "open", "mode": "start"})
    (beat,) = [thread for thread in threading.enumerate() if thread.name == "runlore-heartbeat"]
    os.utime(file.path, (1, 1))
    deadline = time.monotonic() + 20
    while file.path.stat().st_mtime == 1 and time.monotonic() < deadline:
        time.sleep(0.005)
    assert file.path.stat().st_mtime > 1
    file.finish(None)
    beat.join(20)
    assert not beat.is_alive()


def test_events_wait_for_room_and_the_gap_is_told_before_them_all(small_disk: Path) -> None:
    writer = LogWriter(small_disk, "full", {"type": "open", "mode": "start"})
    writer.row({"loss": 0.0}, 0)
    ballast = fill(small_disk)
    with pytest.warns(RunloreWarning, match="Training goes on"):
        for step in range(1, 500):
            writer.row({"loss": float(step)}, step)
        for number in range(200):
            writer.event({"type": "note", "text": f"{number}"})
    ballast.unlink()
    writer.row({"loss": 500.0}, 500)
    content = read_log(writer.path, 0)
    assert [event["text"] for event in content.events if event["type"] == "note"] == [str(n) for n in range(200)]
    (gap,) = [event for event in content.events if event["type"] == "gap"]
    assert gap["calls"] == gap["points"] == 501 - content.tallies["loss"].count
    assert content.damage == []
    writer.finish(None)


def test_events_that_waited_in_vain_are_counted(small_disk: Path) -> None:
    writer = LogWriter(small_disk, "full", {"type": "open", "mode": "start"})
    ballast = fill(small_disk)
    with pytest.warns(RunloreWarning, match="Training goes on"):
        for number in range(30):
            writer.event({"type": "note", "text": f"{number}" + "x" * (100 * KIB)})
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    writer.event({"type": "note", "text": "last"})
    content = read_log(writer.path, 0)
    notes = [event for event in content.events if event["type"] == "note"]
    (gap,) = [event for event in content.events if event["type"] == "gap"]
    assert (gap["calls"], gap["points"]) == (31 - len(notes), 0)
    assert 5 < len(notes) < 15
    assert gap["since"] > 0
    writer.finish(None)
