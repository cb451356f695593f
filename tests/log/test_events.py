"""Events: whatever a frame holds, a reader gets an event that it can use, or a DecodeError."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import Store
from runlore.log import frames
from runlore.log.events import Event, check_content, event_frame, load_event
from runlore.log.folder import Folder
from runlore.log.frames import DecodeError
from runlore.log.reader import Content
from runlore.log.record import Record, Writers, build_record
from tests.log.strategies import JSON, spoiled

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
HASH = "ab" * 32
RUN = "1k0y6jjmbgczh9zsa7c"
SECTION = {"sha256": HASH, "values": {"python": "3.11", "nothing": {"$float": "NaN"}}}
GOOD: list[Event] = [
    {"type": "open", "mode": "start", "run": RUN, "name": "a", "experiment": "e", "parent": None, "argv": ["train.py"],
     "host": "h", "boot": "b", "pid": 1, "pid_start": 2, "pid_namespace": "n", "seeds": SECTION},
    {"type": "open", "mode": "resume", "cut": 3, "predecessor": "x", "spared": ["loss"]},
    {"type": "params", "values": {"lr": 0.1, "name": "x", "odd": {"$float": "Infinity"}, "none": None}},
    {"type": "summary", "values": {"score": 1, "best": {"$float": "NaN"}}},
    {"type": "tags", "values": {"team": "vision", "gone": None}},
    {"type": "note", "text": "a note"},
    {"type": "edited", "name": "new", "experiment": "other"},
    {"type": "data", "name": "X", "values": {"rows": 3, "shape": {"$type": "list", "text": "[3, 1]"}}},
    {"type": "artifact", "name": "w", "kind": "checkpoint", "path": "/w", "pending": True, "size": 1, "mtime_ns": 5,
     "id": "1", "roles": ["best"], "monitor": "loss", "value": 0.5, "step": 3, "epoch": 1.5, "keep": True},
    {"type": "artifact", "name": "f", "kind": "file", "files": [["a/b", 3, HASH]], "sha256": HASH, "stored": True},
    {"type": "artifact", "completes": True, "id": "1", "sha256": HASH},
    {"type": "artifact", "completes": True, "path": "/w", "mtime_ns": 5, "sha256": None, "why": "it is gone"},
    {"type": "removed", "path": "/w"},
    {"type": "environment", "sections": {"python": SECTION, "packages": {"sha256": HASH}}},
    {"type": "link", "kind": "resumed_from", "run": RUN, "step": 3, "sha256": HASH},
    {"type": "dropped", "sha256": [HASH], "why": "gc"},
    {"type": "weights", "sha256": HASH, "fingerprints": [HASH], "shapes": [HASH]},
    {"type": "missing", "what": "output", "why": "it is gone"},
    {"type": "gap", "calls": 3, "points": 6, "since": 1},
    {"type": "end", "status": "failed", "error": {"type": "ValueError", "message": "no", "traceback": ""}, "lost": 2},
    {"type": "of a newer runlore", "values": 3},
]  # fmt: skip
GOOD = [{"time": 1_700_000_000_000_000 + place, **event} for place, event in enumerate(GOOD)]


def content_of(events: list[Event], path: Path) -> Content:
    return Content(path, 0, events, {}, [])


@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_an_event_or_a_decode_error(payload: bytes) -> None:
    try:
        event = load_event(payload)
    except DecodeError:
        return
    assert isinstance(event["type"], str)
    assert isinstance(event["time"], int)


@pytest.mark.parametrize("payload", [b"[" * 100_000, b'{"type":' * 100_000, b"9" * 5_000, b"\xff", b"\xed\xb2\x80"])
def test_payloads_that_no_parser_takes_are_decode_errors(payload: bytes) -> None:
    with pytest.raises(DecodeError):
        load_event(payload)


@pytest.mark.parametrize("event", GOOD, ids=lambda event: event["type"])
def test_good_events_are_taken(event: Event) -> None:
    loaded = load_event(frames.dump_json(event))
    assert loaded == event
    check_content(loaded)
    Record(RUN).apply(loaded)


@given(st.sampled_from(GOOD).flatmap(spoiled))
def test_a_spoiled_event_is_taken_or_refused(event: Any) -> None:
    record = Record(RUN)
    for earlier in GOOD[7:9]:
        record.apply(earlier)  # so that there is something to complete, to remove and to drop
    before = repr(record)
    try:
        record.apply(load_event(frames.dump_json(event)))
    except DecodeError:
        assert event.get("left_out") or repr(record) == before, "nothing was taken of it"


@given(st.lists(st.sampled_from(GOOD).flatmap(spoiled), max_size=8))
def test_the_record_of_spoiled_events_can_be_built(events: list[Any]) -> None:
    loaded = []
    for event in events:
        with suppress(DecodeError):
            loaded.append(load_event(frames.dump_json(event)))
    writers = Writers([content_of(loaded, Path("x.run"))], [])
    record = build_record(Folder(Path("nowhere")), RUN, writers)
    assert isinstance(record.missing(writers), list)
    assert isinstance(record.status, str)


@settings(max_examples=60, deadline=None)
@given(events=st.lists(st.sampled_from(GOOD).flatmap(spoiled), max_size=8))
def test_spoiled_events_in_one_run_cost_no_other(events: list[Any], tmp_path_factory: pytest.TempPathFactory) -> None:
    store = Store(tmp_path_factory.mktemp("spoiled") / "store")
    store.start_run("good").finish()
    run = store.start_run("bad")
    (log,) = store.root.rglob("*.log")
    with log.open("ab") as file:
        file.write(b"".join(frames.frame(frames.EVENT, frames.dump_json(event)) for event in events))
    names = [found.name for found in store.runs(sort="id")]
    assert "good" in names
    run.finish()
    store.reindex()
    assert [found.name for found in store.runs("name == 'good'")] == ["good"]


@given(st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | TEXT))
def test_an_event_comes_back_from_its_frame(fields: dict[str, Any]) -> None:
    event = {**fields, "type": "note", "time": 3}
    assert load_event(event_frame(event)[frames.HEAD.size :]) == event


def test_half_a_character_becomes_its_escape() -> None:
    frame = event_frame({"type": "note", "time": 1, "text": "a\udc80", "b\ud800": 1})
    assert load_event(frame[frames.HEAD.size :]) == {"type": "note", "time": 1, "text": "a\\udc80", "b\\ud800": 1}
    payload = b'{"type":"note","time":1,"text":"\\udc80 \\ud83d\\ude42"}'
    assert load_event(payload)["text"] == "\\udc80 \N{SLIGHTLY SMILING FACE}"
