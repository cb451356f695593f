"""The life of a writer: locks on this machine, heartbeats from others."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from runlore.log.liveness import (
    HEARTBEAT_S,
    STALE_S,
    Life,
    Seen,
    is_network_kind,
    life_of,
    mounted_kind,
    on_network_disk,
    process_identity,
)
from runlore.log.writer import LogWriter
from tests.process import Process

Python = Callable[..., Process]


def test_an_orphan_that_outlives_its_parent_does_not_keep_the_run_alive(store: Store, python: Python) -> None:
    process = python("""
        import os, time, runlore
        run = runlore.start_run("orphaned")
        run.log_metrics({"x": 1.0})
        orphan = os.fork()
        if orphan == 0:
            time.sleep(60)
            os._exit(0)
        print(orphan, flush=True)
        time.sleep(60)
    """)
    orphan = int(process.line())
    assert store.run("orphaned").status == "running"
    process.end()
    assert store.run("orphaned").status == "crashed"
    os.kill(orphan, signal.SIGKILL)


def remote_log(store: Store, folder: Path) -> LogWriter:
    store.folder.create()
    folder.mkdir(parents=True, exist_ok=True)
    opening = {"type": "open", "mode": "start", "name": "far", **process_identity(), "boot": "another machine's"}
    return LogWriter(folder, "1k0y6jjmbgczh9zsa7c.0000aaaa", opening)


def test_a_writer_on_another_machine_is_judged_by_its_heartbeat(store: Store) -> None:
    writer = remote_log(store, store.folder.day("1k0y6jjmbgczh9zsa7c"))
    assert store.run("far").status == "running"
    now = time.time()
    os.utime(writer.path, (now, now - HEARTBEAT_S - 5))
    assert store.run("far").status == "running"
    os.utime(writer.path, (now, now - STALE_S - 5))
    assert store.run("far").status == "crashed"
    assert writer.path.exists(), "what may still live is never sealed from here"
    writer.row({"x": 1.0})
    assert store.run("far").status == "running"
    writer.finish({"type": "end", "status": "finished"})
    assert store.run("far").status == "finished"


def test_what_is_known_of_a_writer_costs_the_same_whatever_number_was_seen() -> None:
    seen = Seen()
    began = time.process_time()
    for number in range(20_000):
        seen.note((f"{number}.log", number, 0), {"boot": "another machine's"})
    assert time.process_time() - began < 0.5  # some seconds where each looks at all others


def test_a_lock_that_a_stranger_holds_does_not_revive_a_dead_process(store: Store, tmp_path: Path) -> None:
    writer = remote_log(store, tmp_path / "logs")
    mine = process_identity()
    assert life_of(writer.path, mine) is Life.ALIVE
    assert life_of(writer.path, {**mine, "pid_start": 1}) is Life.DEAD
    assert life_of(writer.path, {**mine, "pid_start": 1, "pid_namespace": "pid:[1]"}) is Life.ALIVE
    writer.abandon()
    assert life_of(writer.path, mine) is Life.DEAD


def test_a_local_disk_is_no_network_disk(tmp_path: Path) -> None:
    assert not on_network_disk(tmp_path)


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/data/x", "nfs4"),
        ("/data", "nfs4"),
        ("/database", "ext4"),
        ("/data/my set/a", "ceph"),
        ("/twice/a", "xfs"),
        ("/", "ext4"),
    ],
)
def test_the_disk_of_a_place_is_the_nearest_one_mounted_above_it(place: str, kind: str) -> None:
    mounts = (
        "/dev/a / ext4 rw 0 0\nproc /proc proc rw 0 0\nhost:/d /data nfs4 rw 0 0\n"
        "ceph /data/my\\040set ceph rw 0 0\nhost:/t /twice nfs rw 0 0\n/dev/b /twice xfs rw 0 0\n"
    )
    assert mounted_kind(place, mounts) == kind


@pytest.mark.parametrize(
    ("kind", "is_network"),
    [("nfs4", True), ("lustre", True), ("virtiofs", True), ("fuse.sshfs", True), ("fuse.gcsfuse", True), ("fuse", True),
     ("fuse.a-new-one", True), ("ext4", False), ("tmpfs", False), ("overlay", False), ("fuseblk", False),
     ("fuse.fuse-overlayfs", False), ("fuse.ntfs-3g", False), ("fusectl", False)],
)  # fmt: skip
def test_what_others_may_see_is_a_network_disk(kind: str, is_network: bool) -> None:
    """Locks of a disk of a kind that nobody had listed were believed on other machines."""
    assert is_network_kind(kind) is is_network
