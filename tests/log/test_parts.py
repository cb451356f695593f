"""Sealing by parts: whoever dies on the way leaves parts that the next one goes on behind, and nothing else."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runlore import Store
from runlore.index import index
from runlore.log.events import Event
from runlore.log.long import parts
from runlore.log.long.parts import Busy, note_of, seal_parts
from runlore.log.reader import Content, read_log, read_sealed
from runlore.log.superseding import read_series
from runlore.log.writer import LogWriter
from tests.process import Process

Python = Callable[..., Process]
ROWS = 30_000  # of 48 and 56 bytes
PART = 256 << 10


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "SEALED_AT_ONCE", PART)


@pytest.fixture
def log(store: Store) -> Path:
    """The log of a dead writer."""
    folder = store.root / "runs" / "2026-11" / "23"
    store.folder.create()
    folder.mkdir(parents=True)
    writer = LogWriter(folder, "1k0zzzzzzzzzzzzzzzz.0000aaaa", {"type": "open", "mode": "start"})
    for step in range(ROWS):
        writer.row({"loss": step / 7}, step)
        if step % 10 == 0:
            writer.row({"acc": step * 1e-6, "f1": 0.5}, step, epoch=step / 1000, split="val")
        if step % 9000 == 0:
            writer.event({"type": "note", "text": f"größer als “{step}” \\ud800"})
    writer.abandon()
    return writer.path


def told(content: Content) -> tuple[object, ...]:
    curves = read_series([content], content.tallies)
    points = {key: [column.tolist() for column in arrays[:3]] for key, arrays in sorted(curves.items())}
    epochs = {key: np.nan_to_num(arrays[3], nan=-1).tolist() for key, arrays in sorted(curves.items())}
    return content.events, {key: tally.encode() for key, tally in content.tallies.items()}, points, epochs


def drafts(log: Path) -> list[str]:
    return sorted(path.name for path in log.parent.glob(".*"))


def test_parts_make_the_same_file_as_sealing_at_once(log: Path) -> None:
    before = told(read_log(log, 0))
    looks = 1
    while seal_parts(log, None, PART):
        looks += 1
        assert len(drafts(log)) == 2
    assert looks > 3
    assert [path.name for path in log.parent.iterdir()] == [log.with_suffix(".run").name]
    assert told(read_sealed(log.with_suffix(".run"), 0)) == before


@pytest.mark.parametrize("damage", ["killed", "draft", "shorter", "note", "other", "linked"])
def test_what_was_left_is_gone_on_with_where_it_fits_and_else_begun_anew(log: Path, damage: str) -> None:
    before = told(read_log(log, 0))
    assert seal_parts(log, None, PART)
    note = json.loads(note_of(log).read_text())
    draft = log.with_name(note["draft"])
    match damage:
        case "killed":  # in the midst of a part
            with draft.open("ab") as file:
                file.write(b"half a block")
        case "draft":
            draft.unlink()
        case "shorter":
            os.truncate(draft, note["length"] - 1)
        case "note":
            note_of(log).write_text(json.dumps({**note, "chunks": [[8, 99]]}))
        case "other":
            note_of(log).write_text(json.dumps({**note, "draft": log.name}))
        case "linked":
            (log.parent / "precious").hardlink_to(draft)
    kept = (log.parent / "precious").read_bytes() if damage == "linked" else b""
    while seal_parts(log, None, PART):
        pass
    assert told(read_sealed(log.with_suffix(".run"), 0)) == before
    assert draft.exists() == (damage not in ("killed", "draft"))  # gc takes it
    assert damage != "linked" or (log.parent / "precious").read_bytes() == kept


def test_a_damaged_log_stays(log: Path) -> None:
    with log.open("r+b") as file:
        file.seek(log.stat().st_size - 3 * PART)
        file.write(b"\xff")
    while seal_parts(log, None, PART):
        pass
    assert [path.name for path in log.parent.iterdir() if path.suffix != ".tmp"] == [log.name]
    assert not note_of(log).exists()


def test_one_seals_at_a_time(log: Path, python: Python) -> None:
    assert seal_parts(log, None, PART)
    draft = log.with_name(json.loads(note_of(log).read_text())["draft"])
    holder = python(f"""
        import fcntl, time
        file = open({str(draft)!r}, "r+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        print("held", flush=True)
        time.sleep(60)
    """)
    assert holder.line() == "held"
    with pytest.raises(Busy):
        seal_parts(log, None, PART)
    holder.kill()
    assert seal_parts(log, None, PART)


CLOSING: Event = {"type": "end", "time": 1, "status": "interrupted", "error": None}


def test_the_end_that_a_mark_told_is_written_with_the_last_part(log: Path) -> None:
    while seal_parts(log, CLOSING, PART):
        pass
    assert read_sealed(log.with_suffix(".run"), 0).end == CLOSING


WRITING = """
    import os, runlore
    run = runlore.start_run("killed")
    for step in range(20_000):
        run.log_metrics({"loss": float(step)}, step=step)
    os.kill(os.getpid(), 9)
"""


def test_each_look_seals_a_part_and_reads_no_more(
    store: Store, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log of more than 64 MiB was read whole by each look, and sealed by one at once or never."""
    monkeypatch.setattr("runlore.index.changes.SEALED_AT_ONCE", PART)
    monkeypatch.setattr(index, "MAX_SEALED_BYTES", PART)
    python(WRITING).wait()
    (log,) = store.root.rglob("*.log")
    size = log.stat().st_size
    looks = 0
    while log.exists():
        before = int(Path("/proc/self/io").read_text().split()[1])
        store.index.refresh()
        cost = int(Path("/proc/self/io").read_text().split()[1]) - before
        assert cost < size + 2 * PART if looks == 0 else cost < 3 * PART
        looks += 1
    assert looks >= 3
    run = store.run("killed")
    assert (run.status, run.metrics["loss"].values.tolist()) == ("crashed", [float(step) for step in range(20_000)])
