"""Whatever stands in the files of one run, the others are listed, and it is named with what is wrong."""

import json
import sqlite3
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore import Store, open_store
from runlore.errors import RunloreWarning
from runlore.index import rows
from runlore.log import reader
from runlore.log.frames import frame
from tests.forged import ForgedStore, json_frame

HALF = {"type": "params", "values": {"k": "\ud800"}}
EVENTS: dict[str, tuple[dict[str, Any], str]] = {  # each with what is told of it
    "a text for a tag's": ({"type": "tags", "values": {"a": [1]}}, "'values' of an event 'tags'"),
    "no float": ({"type": "params", "values": {"e": {"$float": "zzz"}}}, "'values' of an event 'params'"),
    "a device": ({"type": "environment", "sections": {"git": {"sha256": "/dev/zero"}}}, "'sections'"),
    "a text for numbers": ({"type": "summary", "values": {"a": "text"}}, "'values' of an event 'summary'"),
    "a large number": ({"type": "gap", "calls": 10**30}, "'calls' of an event 'gap'"),
    "nothing": ({"type": "link"}, "an event 'link' has no 'kind'"),
}


@pytest.fixture
def forged(tmp_path: Path) -> Iterator[ForgedStore]:
    store = ForgedStore(tmp_path / "forged")
    store.run(name="innocent")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        yield store


def names(store: Store) -> list[str]:
    return sorted(run.name for run in store.runs())


@pytest.mark.parametrize("case", EVENTS)
def test_an_event_that_can_not_be_used_is_named_with_its_file(forged: ForgedStore, case: str) -> None:
    event, told = EVENTS[case]
    run_id = forged.run([event])
    store = open_store(forged.root)
    with pytest.warns(RunloreWarning, match=told):
        assert names(store) == ["forged", "innocent"]
    (missing,) = (item["why"] for item in store.run(run_id).missing if "bytes" in item["what"])
    assert f"{run_id}." in missing
    assert told in missing
    assert store.run(run_id).status == "finished"


def test_half_characters_and_sums_beyond_64_bits_are_stored(forged: ForgedStore) -> None:
    large = {"type": "gap", "calls": (1 << 63) - 1}
    forged.run([HALF, large, large], opening={"name": "a\udfff", "time": -(1 << 61)}, end={"time": 1 << 61})
    store = open_store(forged.root)
    (found,) = store.runs("name != 'innocent'")
    assert (found.name, found.params) == ("a\\udfff", {"k": "\\ud800"})
    assert store.run(found.id).duration is not None


@pytest.mark.parametrize("error", [MemoryError, RecursionError, OverflowError, KeyError])
def test_a_run_that_can_not_be_read_is_listed_as_damaged(
    forged: ForgedStore, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    run_id = forged.run(name="bad")
    read = reader.read_log

    def failing(path: Path, *arguments: Any) -> Any:
        if run_id in path.name:
            raise error("no room")
        return read(path, *arguments)

    monkeypatch.setattr("runlore.log.record.read_log", failing)
    store = open_store(forged.root)
    with pytest.warns(RunloreWarning, match=f"{run_id}.*{error.__name__}"):
        assert [(run.id == run_id, run.status) for run in store.runs()] == [(True, "damaged"), (False, "finished")]
    assert error.__name__ in str(store.run(run_id).missing)
    monkeypatch.setattr("runlore.log.record.read_log", read)
    store.reindex()
    assert names(store) == ["bad", "innocent"]


@pytest.mark.parametrize("value", [1 << 70, "\ud800", object(), [1]])
def test_a_value_that_can_not_be_stored_costs_no_other_run(
    forged: ForgedStore, monkeypatch: pytest.MonkeyPatch, value: Any
) -> None:
    run_id = forged.run([{"type": "summary", "values": {"odd": 0.5}}])
    monkeypatch.setattr(rows, "value_columns", lambda found: ("int", value, "1"))
    store = open_store(forged.root)
    with pytest.warns(RunloreWarning, match=f"run {run_id}: its files can't be used"):
        assert [(run.id == run_id, run.status) for run in store.runs()] == [(True, "damaged"), (False, "finished")]


def test_a_full_disk_is_no_fault_of_a_run(forged: ForgedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    forged.run()
    monkeypatch.setattr("runlore.index.database.Sqlite.savepoint", full)
    with pytest.raises(sqlite3.OperationalError):
        open_store(forged.root).runs()


@pytest.mark.parametrize(
    "content", [b"[1,2]", b'{"a":{"b":[1]}}', b'{"a":' + b"[" * 100_000, b'{"a":"' + b"x" * (17 << 20) + b'"}']
)
def test_a_section_that_is_none_has_no_values(forged: ForgedStore, content: bytes) -> None:
    section = {"packages": {"sha256": forged.blob(content)}, "git": {"sha256": "0" * 64, "values": {"commit": "c"}}}
    run_id = forged.run([{"type": "environment", "sections": section}])
    store = open_store(forged.root)
    assert names(store) == ["forged", "innocent"]
    assert store.run(run_id).environment == {"packages": {}, "git": {"commit": "c"}}


def test_a_decimal_of_a_huge_exponent_is_stored_at_once(forged: ForgedStore) -> None:
    forged.run([{"type": "params", "values": {"d": {"$type": "decimal.Decimal", "text": "1e999999999"}}}])
    assert names(open_store(forged.root)) == ["forged", "innocent"]


def test_a_log_of_a_hole_is_read_at_once(forged: ForgedStore) -> None:
    run_id = forged.run(name="sparse")
    (log,) = forged.root.rglob(f"{run_id}*.log")
    note = json_frame("J", {"type": "note", "time": 1, "text": "behind"})
    with log.open("r+b") as file:
        file.truncate(1 << 40)
        file.seek(1 << 40)
        file.write(note + frame(ord("J"), b"{}")[:7])
    store = open_store(forged.root)
    assert names(store) == ["innocent", "sparse"]
    found = store.run(run_id)
    assert [note.text for note in found.notes] == ["behind"]
    assert (1 << 40) - 10_000 < found.damaged_bytes < 1 << 40


def test_sections_that_name_one_large_content_are_read_as_far_as_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ForgedStore(tmp_path)
    blob = store.blob(json.dumps({"key": "x" * 1000}).encode())
    store.run([{"type": "environment", "sections": {f"s{number}": {"sha256": blob} for number in range(20)}}])
    monkeypatch.setattr("runlore.index.rows.MAX_SECTION_BYTES", 3000)
    (run,) = open_store(tmp_path).runs()
    assert sum(map(bool, run.environment.values())) == 2
    assert len(open_store(tmp_path).runs("env.s0.key != ''")) == 1
