"""Events: whatever a frame holds, a reader gets an event that it can use, or a DecodeError."""

import json
import re
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import Store
from runlore.log import frames
from runlore.log.events import SCHEMA, Event, Room, event_frame, load_event
from runlore.log.folder import Folder
from runlore.log.frames import DecodeError
from runlore.log.reader import Content
from runlore.log.record import Record, Writers, build_record
from runlore.models import events as model_events
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
    {"type": "params", "values": {"shuffle": True}, "captured": True},
    {"type": "summary", "values": {"score": 1, "best": {"$float": "NaN"}}},
    {"type": "tags", "values": {"team": "vision", "gone": None}},
    {"type": "note", "text": "a note"},
    {"type": "corrected", "note": 5, "text": "another text", "user": "ann"},
    {"type": "corrected", "note": 5},
    {"type": "edited", "name": "new", "experiment": "other"},
    {"type": "data", "name": "X", "values": {"rows": 3, "shape": {"$type": "list", "text": "[3, 1]"}}},
    {"type": "artifact", "name": "w", "kind": "checkpoint", "path": "/w", "pending": True, "size": 1, "mtime_ns": 5,
     "id": "1", "roles": ["best"], "monitor": "loss", "value": 0.5, "step": 3, "epoch": 1.5, "keep": True},
    {"type": "artifact", "name": "f", "kind": "file", "files": [["a/b", 3, HASH]], "sha256": HASH, "stored": True},
    {"type": "artifact", "name": "p", "kind": "image", "files": [["0.png", 3, HASH]], "sha256": HASH, "stored": True,
     "media": "samples", "captions": ["a cat"], "step": 3},
    {"type": "artifact", "completes": True, "id": "1", "sha256": HASH},
    {"type": "artifact", "completes": True, "path": "/w", "mtime_ns": 5, "sha256": None, "why": "it is gone"},
    {"type": "counted", "keys": ["loss"], "given": True},
    {"type": "removed", "path": "/w"},
    {"type": "environment", "sections": {"python": SECTION, "packages": {"sha256": HASH}}},
    {"type": "link", "kind": "resumed_from", "run": RUN, "step": 3, "sha256": HASH},
    {"type": "dropped", "sha256": [HASH], "why": "gc"},
    {"type": "weights", "sha256": HASH, "fingerprints": [HASH], "shapes": [HASH]},
    {"type": "missing", "what": "output", "why": "it is gone"},
    {"type": "found", "what": "output"},
    {"type": "gap", "calls": 3, "points": 6, "since": 1, "why": "no room"},
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
    Record(RUN).apply(loaded)


@pytest.mark.parametrize(
    ("event", "wrong"),
    [
        ({"type": "params", "values": {"e": {"$float": "zzz"}}}, "values"),
        ({"type": "params", "values": {"e": {"$float": None}}}, "values"),
        ({"type": "params", "values": {"e": [1]}}, "values"),
        ({"type": "params", "values": {"e": {"$type": ["x"]}}}, "values"),
        ({"type": "params", "values": {"e": {"$type": "x", "text": {"a": 1}}}}, "values"),
        ({"type": "params", "values": {"k" * 70_000: 1}}, "values"),
        ({"type": "params", "values": [1, 2]}, "values"),
        ({"type": "params"}, "values"),
        ({"type": "summary", "values": {"a": "text"}}, "values"),
        ({"type": "summary", "values": {"a": True}}, "values"),
        ({"type": "tags", "values": {"a": 1}}, "values"),
        ({"type": "environment", "sections": {"git": {"sha256": "/dev/zero"}}}, "sections"),
        ({"type": "environment", "sections": {"git": {"sha256": None, "values": {}}}}, "sections"),
        ({"type": "environment", "sections": {"git": {"sha256": HASH, "values": {"a": {"b": {}}}}}}, "sections"),
        ({"type": "artifact", "name": "a", "kind": "file", "files": None}, "files"),
        ({"type": "artifact", "name": "a", "kind": "file", "files": [["a", 1, "x"]]}, "files"),
        ({"type": "artifact", "name": "a", "kind": "file", "size": 10**30}, "size"),
        ({"type": "artifact", "name": "a", "kind": "file", "sha256": "../../x"}, "sha256"),
        ({"type": "artifact", "kind": "file"}, "name"),
        ({"type": "link", "kind": "resumed_from"}, "run"),
        ({"type": "link", "kind": "resumed_from", "completes": True}, "run"),
        ({"type": "weights", "sha256": "x"}, "sha256"),
        ({"type": "gap", "calls": 1.5}, "calls"),
        ({"type": "gap", "calls": 1, "why": 5}, "why"),
        ({"type": "found"}, "what"),
        ({"type": "corrected", "text": "of none"}, "note"),
        ({"type": "corrected", "note": "5"}, "note"),
        ({"type": "corrected", "note": 5, "text": 5}, "text"),
        ({"type": "open", "argv": [1]}, "argv"),
        ({"type": "open", "parent": {"a": 1}}, "parent"),
        ({"type": "open", "cut": "x"}, "cut"),
        ({"type": "open", "name": "n" * 1_000_000}, "name"),
        ({"type": "end", "status": "failed", "error": {"type": 5}}, "error"),
        ({"type": "end", "status": "failed", "error": {"type": "E", "traceback": 7}}, "error"),
        ({"type": "end", "status": "finished", "lost": "x"}, "lost"),
        ({"type": "end", "status": "finished", "lost": None}, "lost"),
        ({"type": "note", "text": "x", "time": 1 << 62}, "time"),
        ({"type": "note", "text": "x", "time": True}, "time"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_an_event_with_a_wrong_field_names_it(event: Event, wrong: str) -> None:
    with pytest.raises(DecodeError, match=wrong):
        load_event(frames.dump_json({"time": 1, **event}))


@pytest.mark.parametrize(("levels", "taken"), [(60, True), (900, False), (100_000, False)])
def test_deep_events_are_refused(levels: int, taken: bool) -> None:
    payload = b'{"type":"of a newer runlore","time":1,"x":' + b"[" * levels + b"]" * levels + b"}"
    with nullcontext() if taken else pytest.raises(DecodeError):
        load_event(payload)


def test_events_of_too_many_parts_are_refused() -> None:
    payload = b'{"type":"of a newer runlore","time":1,"x":[' + b"[]," * 2_000_000 + b"1]}"
    with pytest.raises(DecodeError, match="parts"):
        load_event(payload)


def test_a_file_has_room_for_so_many_events(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(events=2, size=1_000)
    payload = frames.dump_json({"type": "note", "time": 1, "text": "x"})
    assert [room.load(payload)["text"], room.load(payload)["text"]] == ["x", "x"]
    with pytest.raises(DecodeError, match="room"):
        room.load(payload)
    with pytest.raises(DecodeError, match="room"):
        Room(size=10).load(payload)


def test_the_page_of_the_format_names_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs" / "format.md").read_text()
    runs, _, models = page.partition("\n## Models with names\n")
    common = models.partition("\n| type |")[0]  # of all events of models
    for part, above, schema in ((runs, "", SCHEMA), (models, common, model_events.SCHEMA)):
        for kind, fields in schema.items():
            (row,) = (line for line in part.splitlines() if line.startswith(f"| `{kind}` |"))
            missing = [name for name in fields if not re.search(rf"\b{name}\b", above + row)]
            assert not missing, f"the row of {kind} in docs/format.md lacks {missing}"


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
    event = {**fields, "type": "of a newer runlore", "time": 3}
    assert load_event(event_frame(event)[frames.HEAD.size :]) == event


def test_half_a_character_becomes_its_escape() -> None:
    frame = event_frame({"type": "note", "time": 1, "text": "a\udc80", "b\ud800": 1})
    assert load_event(frame[frames.HEAD.size :]) == {"type": "note", "time": 1, "text": "a\\udc80", "b\\ud800": 1}
    payload = b'{"type":"note","time":1,"text":"\\udc80 \\ud83d\\ude42"}'
    assert load_event(payload)["text"] == "\\udc80 \N{SLIGHTLY SMILING FACE}"


def test_an_event_that_no_frame_can_hold_is_parted_or_named(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers once took such a frame for damage."""
    monkeypatch.setattr(frames, "MAX_PAYLOAD", 64 << 10)
    with store.start_run("large") as run:
        run.log_params({f"p{number}": "x" * 1_000 for number in range(200)})
        run.note("y" * 70_000)
        run.log_params({"one": "漢" * 60_000})
        run.set_tags({"after": "yes"})
    found = store.run("large")
    assert (found.status, found.damaged_bytes, found.tags) == ("finished", 0, {"after": "yes"})
    assert (len(found.params), found.params["p199"], found.notes) == (200, "x" * 1_000, [])
    why = {item["what"]: item["why"] for item in found.missing}
    assert why["note"] == why["params"]
    assert why["note"].endswith("MiB: not kept")


SECTIONS = b'"sections":{"python":{"values":{"version":"3.11"},"sha256":"x"}}'
PROOF = b',"proof":"' + b"0f" * 16 + b'"}'


@pytest.mark.parametrize(
    ("time", "rest"),
    [
        (b"5", SECTIONS + b"}"),
        (b"5", SECTIONS + PROOF),
        (b"5", SECTIONS + b',"time":7}'),
        (b"5", SECTIONS + b',"time":7' + PROOF),
        (b"5", SECTIONS + b',"time":1}'),
        (b"5", SECTIONS + b',"type":"note","text":"x"}'),
        (b"5", SECTIONS + b',"proof":"another"' + PROOF),
        (b"5", SECTIONS + PROOF.replace(b"f", b"\\")),
        (b"5", SECTIONS + PROOF.replace(b"0f", b"\xc3\xbc")),
        (b"5", SECTIONS + PROOF + b" "),
        (b"5", SECTIONS),
        (b"5", b'"sections":3}'),
        (b"5", b"}"),
        (b"", SECTIONS + b"}"),
        (b"05", SECTIONS + b"}"),
        (b"-5", SECTIONS + b"}"),
        (b"5.0", SECTIONS + b"}"),
        (b" 5", SECTIONS + b"}"),
        (b"9" * 18, SECTIONS + b"}"),
        (b"9" * 19, SECTIONS + b"}"),
    ],
)
def test_an_environment_is_read_as_any_event_whoever_had_an_equal_one(time: bytes, rest: bytes) -> None:
    """Its sections are read once for many runs; what follows the time, and what tells a field twice, decides still."""
    payload = b'{"type":"environment","time":' + time + b"," + rest
    for _ in range(2):
        try:
            expected = load_event(payload)
        except DecodeError:
            with pytest.raises(DecodeError):
                Room().load(payload)
        else:
            assert Room().load(payload) == expected


def test_the_sections_of_equal_environments_are_read_once() -> None:
    events = [
        Room().load(b'{"type":"environment","time":%d,%b%b' % (time, SECTIONS, PROOF.replace(b"0f", proof)))
        for time, proof in ((5, b"1a"), (6, b"2b"))
    ]
    assert events[0]["sections"] is events[1]["sections"]
    assert [(event["time"], event["proof"]) for event in events] == [(5, "1a" * 16), (6, "2b" * 16)]
