"""Many writers at once, with readers, gc, rm, undo and reindex beside them: no torn read, and nothing is lost."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.errors import StillRunning
from runlore.maintenance.garbage import collect, find_garbage
from runlore.maintenance.removal import remove, undo
from runlore.store.runs import RunList
from tests.process import Process

WAIT_S = 60.0  # for the index to be brought up to date by any process
VALUES: dict[str, Callable[[int], float]] = {
    "up": lambda step: step,
    "down": lambda step: -step,
    "third": lambda step: step / 3,
}


def read_series(store: Store, seen: dict[str, int]) -> None:
    """Read every series of the writers; none is torn, out of order, or shorter than it was."""
    for run in store.runs("name != 'finished'"):
        assert run.status in ("running", "finished"), (run.name, run.status)
        for key, value_at in VALUES.items():
            if key in run.metrics:
                series = run.metrics[key]
                steps = series.steps.tolist()
                assert steps == list(range(len(steps)))
                assert series.values.tolist() == [value_at(step) for step in steps]
                assert len(steps) >= seen.get(f"{run.id} {key}", 0)
                seen[f"{run.id} {key}"] = len(steps)


def await_finished(store: Store, count: int) -> RunList:
    """Ask for the finished runs until so many are there: whoever finds the index locked answers from what it says."""
    deadline = time.monotonic() + WAIT_S
    while len(found := store.runs("name == 'finished'")) != count:
        assert time.monotonic() < deadline, f"{len(found)} runs"
        time.sleep(0.01)
    return found


def tidy(store: Store) -> None:
    """Remove finished runs and take them back, then free what nothing needs; no run that is written can be removed."""
    remove(store, await_finished(store, 3))
    await_finished(store, 0)
    undo(store)
    found = await_finished(store, 3)
    assert sorted(run.params["number"] for run in found) == [0, 1, 2]
    written = store.runs("status == 'running'", limit=1)
    if written:
        with pytest.raises(StillRunning):
            remove(store, written)
    collect(store, find_garbage(store))


def list_as_json(store: Store) -> None:
    """Ask as a process of its own."""
    command = [sys.executable, "-m", "runlore", "ls", "--json", "--all", "--store", str(store.root)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(run["status"] in ("running", "finished") for run in json.loads(done.stdout))


def reindex(store: Store) -> None:
    """Make the index anew, unless the others keep it busy."""
    with suppress(TimeoutError):
        store.reindex()


def run_beside(store: Store, python: Callable[..., Process], tmp_path: Path, writers: int, rounds: int) -> None:
    for number in range(3):
        store.start_run("finished", params={"number": number}).finish()
    stop = tmp_path / "stop"
    process = python(Path(__file__).with_name("writers.py"), str(writers), str(stop))
    seen: dict[str, int] = {}
    ways: list[Callable[[Store], object]] = [
        lambda opened: read_series(opened, seen),
        tidy,
        list_as_json,
        reindex,
        lambda opened: opened.runs(sort="-metrics.up.last", limit=5),
    ]
    begun = threading.Barrier(len(ways))

    def repeat(way: Callable[[Store], object]) -> None:
        opened = open_store(store.root)
        begun.wait()
        for _ in range(rounds):
            way(opened)

    try:
        with ThreadPoolExecutor(len(ways)) as pool:
            for future in [pool.submit(repeat, way) for way in ways]:
                future.result()
    finally:
        stop.write_text("")
    told = dict(line.split() for line in process.succeed().splitlines())
    assert len(told) == writers
    runs = {run.id: run for run in store.runs("name != 'finished'")}
    assert runs.keys() == told.keys()
    for run_id, run in runs.items():
        assert (run.status, run.damaged_bytes, run.missing) == ("finished", 0, [])
        assert [len(run.metrics[key].steps) for key in VALUES] == [int(told[run_id])] * len(VALUES)
    read_series(store, seen)
    assert len(store.runs("name == 'finished'")) == 3


@pytest.mark.stress
def test_writers_and_readers_leave_each_other_alone(
    store: Store, python: Callable[..., Process], tmp_path: Path
) -> None:
    run_beside(store, python, tmp_path, writers=12, rounds=4)


@pytest.mark.stress
@pytest.mark.long
def test_many_writers_and_readers_leave_each_other_alone(
    store: Store, python: Callable[..., Process], tmp_path: Path
) -> None:
    run_beside(store, python, tmp_path, writers=64, rounds=5)
