"""Merging the events of a run into its record: what they say, and that no event costs more than itself."""

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore._ids import new_run_id
from runlore.log.events import SCHEMA, Event, check_event
from runlore.log.record import Record

RUN = new_run_id(1_800_000_000_000_000)
FIELDS = "size mtime_ns sha256 stored files executable escaped_files why pending keep".split()
HASHES = ["aa" * 32, "bb" * 32]

# What events say


class Plainly:
    """The artifacts of a run as docs/format.md has them: each event looks at all that were before."""

    def __init__(self) -> None:
        self.items: list[Event] = []

    def apply(self, event: Event) -> None:
        if event["type"] == "removed":
            at = [item for item in self.items if item.get("path") == event["path"]]
            newest = [item for item in at if item["kind"] == "checkpoint"][-1:]
            for item in newest or at:
                item["present"] = False
        elif event["type"] == "dropped":
            for item in self.items:
                if item.get("sha256") in event["sha256"]:
                    item.update(stored=False, dropped=True, why=event.get("why"))
        elif event.get("completes"):
            self._complete(event)
        else:
            if event["kind"] == "checkpoint":
                self._supersede(event)
            self.items.append({"present": True, **event})

    def _supersede(self, event: Event) -> None:
        before = [item for item in self.items if item["kind"] == "checkpoint"]
        for item in [item for item in before if item.get("path") == event.get("path")][-1:]:
            item["present"] = False
        for item in before:
            if item.get("roles"):
                item["roles"] = [role for role in item["roles"] if role not in event.get("roles", ())]

    def _complete(self, event: Event) -> None:
        if "id" in event:
            found = [item for item in self.items if item.get("id") == event["id"]][-1:]
        else:
            found = [item for item in self.items if "id" not in item and self._fits(item, event)][:1]
        for item in found:
            told = {key: event[key] for key in FIELDS if key in event}
            waits = bool(item.get("keep")) and not told.keys() & {"stored", "why"}
            item.update({"pending": waits, **told})

    def _fits(self, item: Event, event: Event) -> bool:
        same = event.get("mtime_ns") is not None and item.get("mtime_ns") == event["mtime_ns"]
        return item.get("path") == event.get("path") and bool(item.get("pending") or same)


FACTS: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(("stored", "pending", "keep"), st.booleans()),
    "path": st.sampled_from(["a", "b"]),
    "id": st.sampled_from(["1", "2", "3"]),
    "mtime_ns": st.sampled_from([5, 6]),
    "sha256": st.sampled_from(HASHES),
    "why": st.just("because"),
}
RECORDED = st.fixed_dictionaries(
    {"type": st.just("artifact"), "name": st.just("x"), "kind": st.sampled_from(["checkpoint", "model"])},
    optional=FACTS | {"roles": st.lists(st.sampled_from(["best", "last"]), unique=True)},
)
COMPLETED = st.fixed_dictionaries({"type": st.just("artifact"), "completes": st.just(True)}, optional=FACTS)
REMOVED = st.fixed_dictionaries({"type": st.just("removed"), "path": st.sampled_from(["a", "b"])})
DROPPED = st.fixed_dictionaries(
    {"type": st.just("dropped"), "sha256": st.lists(st.sampled_from(HASHES), min_size=1)},
    optional={"why": st.sampled_from(["rule", "other"])},
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(RECORDED, RECORDED, COMPLETED, REMOVED, DROPPED), max_size=12), st.booleans())
def test_artifacts_are_what_all_events_say_of_them(events: list[Event], asked: bool) -> None:
    record, plainly = Record(RUN), Plainly()
    for event in events:
        record.apply(check_event({"time": 1, **event}))
        plainly.apply({"time": 1, **event})
        if asked:  # a reader that asks meanwhile changes nothing
            assert record.artifacts == plainly.items
    assert record.artifacts == plainly.items


# What they cost

FEW, MANY = 60, 240  # events; four times as many may cost five times as much
Make = Callable[[int, int], dict[str, Any]]  # the fields of an event, from its number and how many there are


class Name(str):
    """A text that counts how often it is looked up: sets and mappings do that in C, where no step is counted."""

    __slots__ = ()
    lookups = 0

    def __hash__(self) -> int:
        Name.lookups += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Name.lookups += 1
        return super().__eq__(other)


def name(number: int) -> Name:
    return Name(f"n{number}")


def sha256(number: int) -> Name:
    return Name(f"{number:064x}")


def values(number: int, count: int) -> dict[str, Any]:
    """The values of an event: one of its own, and in the first one as many as there are events."""
    return {name(place): 1.0 for place in (number, *range(-count if number == 0 else 0, 0))}


def artifact(number: int, count: int) -> dict[str, Any]:
    return {"name": name(number), "kind": "checkpoint", "sha256": sha256(number), "id": name(number)}


EVENTS: dict[str, list[Make]] = {
    "open": [lambda number, count: {"seeds": {"values": values(number, count), "sha256": sha256(number)}}],
    "params": [lambda number, count: {"values": values(number, count), "captured": bool(number % 2)}],
    "summary": [lambda number, count: {"values": values(number, count)}],
    "tags": [
        lambda number, count: {"values": {key: str(value) for key, value in values(number, count).items()}},
        lambda number, count: {"values": {name(number - 1): None, name(number): "yes"}},
    ],
    "note": [lambda number, count: {"text": "x"}],
    "corrected": [lambda number, count: {"note": number, "text": "y"}],
    "edited": [lambda number, count: {"name": name(number)}],
    "environment": [
        lambda number, count: {"sections": {name(number): {"values": values(number, count), "sha256": sha256(number)}}}
    ],
    "artifact": [
        artifact,
        lambda number, count: artifact(0, count) | {"id": name(number), "path": "a", "roles": [name(number), "best"]},
        lambda number, count: {"name": "x", "kind": "model", "path": "a", "pending": True, "mtime_ns": number},
        lambda number, count: {"name": "x", "kind": "model", "sha256": sha256(0), "path": "b", "mtime_ns": 5},
        lambda number, count: (
            artifact(number, count) | {"roles": [name(place) for place in range(count)]}
            if number == 0
            else artifact(number, count) | {"roles": [name(number)]}
        ),
        lambda number, count: {"completes": True, "id": name(0), "sha256": sha256(number)},
        lambda number, count: {"completes": True, "path": "a", "sha256": sha256(0)},
        lambda number, count: {"completes": True, "path": "b", "mtime_ns": 5, "sha256": sha256(0)},
    ],
    "removed": [lambda number, count: {"path": Name("a")}, lambda number, count: {"path": Name("b")}],
    "data": [lambda number, count: {"name": name(0), "values": values(number, count)}],
    "link": [lambda number, count: {"kind": "evaluates", "run": name(number), "step": number}],
    "weights": [lambda number, count: {"sha256": sha256(number), "fingerprints": [sha256(0)]}],
    "dropped": [
        lambda number, count: {"sha256": [sha256(0)], "why": name(number)},
        lambda number, count: {"sha256": [sha256(number)]},
    ],
    "missing": [lambda number, count: {"what": name(number), "why": name(0)}],
    "gap": [lambda number, count: {"calls": 1, "points": 1, "since": 1}],
    "found": [lambda number, count: {"what": name(number)}],
    "includes": [lambda number, count: {"run": name(number)}],
    "counted": [lambda number, count: {"keys": [name(number)], "given": bool(number % 2)}],
    "end": [lambda number, count: {"status": "finished", "lost": 1}],
}
KINDS = [(kind, make) for kind, makes in EVENTS.items() for make in makes]


def made(kind: str, make: Make, count: int) -> Iterator[Event]:
    return ({"type": kind, "time": 1, **make(number, count)} for number in range(count))


def cost(events: list[Event]) -> int:
    """The steps of the interpreter and the lookups that it takes to merge events, and to ask what came of them."""
    steps = Name.lookups = 0

    def on_call(frame: FrameType, happening: str, _: object) -> Any:
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        return on_step

    def on_step(frame: FrameType, happening: str, _: object) -> Any:
        nonlocal steps
        steps += 1
        return on_step

    record = Record(RUN)
    before = sys.gettrace()
    sys.settrace(on_call)
    try:
        for event in events:
            record.apply(event)
        rows = record.artifacts
    finally:
        sys.settrace(before)
    assert len(rows) == sum(event["type"] == "artifact" and not event.get("completes") for event in events)
    return steps + Name.lookups


def test_events_of_every_kind_are_tried() -> None:
    assert EVENTS.keys() == SCHEMA.keys()


def test_events_of_a_kind_cost_no_more_than_they_are() -> None:
    found = Counter[str]()
    for kind, make in KINDS:
        few, many = (cost(list(made(kind, make, count))) for count in (FEW, MANY))
        found[kind] += many > 5 * few
    assert +found == Counter()


@pytest.mark.stress
def test_no_kind_makes_another_one_cost_more() -> None:
    found = Counter[str]()
    for first, make in KINDS:
        for second, other in [item for item in KINDS if {first, item[0]} & {"artifact", "removed", "dropped"}]:
            few, many = (
                cost([*made(first, make, count), *made(second, other, count)]) for count in (FEW // 2, MANY // 2)
            )
            found[f"{first} {second}"] += many > 5 * few
    assert +found == Counter()
