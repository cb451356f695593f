"""Events: the JSON objects of a log, checked against `SCHEMA` before anything in them is used.

docs/format.md says what the fields mean.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from runlore import _proof
from runlore._frozen import Frozen, late
from runlore._ids import is_sha256
from runlore.log import frames
from runlore.log.frames import DecodeError, are_texts, is_int64

Event = dict[str, Any]

MAX_NAME = 64 << 10  # characters of a name, of a key and of what else stands in one line
MAX_TIME = 1 << 61  # µs before and after 1970
MAX_EVENTS = 1_000_000  # of one file
MAX_EVENT_BYTES = 256 << 20  # of one file
MAX_NAMES = 200_000  # of params, results, tags and facts of data that the events of one file give values
MAX_SHARED = 16 << 10  # bytes of an environment that is kept for the next run
_ENVIRONMENT = b'{"type":"environment","time":'
WEIGHTS = ("fingerprints", "shapes", "tensors")  # kinds of hashes of a model file


def event_frame(event: Event, run_id: str = "") -> bytes:
    """Return the frame of an event; what JSON can't hold is written as its text.

    With the id of its run, an event that readers may act on gets the proof that this user has written it.
    """
    payload = frames.dump_json(event)
    return frames.frame(
        frames.EVENT, _proof.with_proof(payload, run_id) if run_id and event["type"] in _proof.KINDS else payload
    )


def event_frames(event: Event, run_id: str) -> list[bytes]:
    """Return the frames of an event of a run: one, or one for each part of it that a frame can hold.

    Values by name are shared out; what can't be parted, such as a note, becomes the event that it is missing.
    """
    whole = event_frame(event, run_id)
    if len(whole) <= frames.MAX_PAYLOAD:
        return [whole]
    values = event.get("values")
    if isinstance(values, dict) and len(values) > 1:
        items = list(values.items())
        half = len(items) // 2
        return [
            data
            for part in (items[:half], items[half:])
            for data in event_frames({**event, "values": dict(part)}, run_id)
        ]
    what = f"{event['type']} {event['name']!r}" if "name" in event else event["type"]
    why = f"it has more than {frames.MAX_PAYLOAD >> 20} MiB: not kept"
    return [event_frame({"type": "missing", "time": event["time"], "what": what, "why": why})]


def first_of(kind: str, events: Iterable[Event]) -> Event | None:
    """Return the first event of a kind; None where there is none."""
    for event in events:  # a loop: it is nearly always the first one
        if event["type"] == kind:
            return event
    return None


@late
class Kind(Frozen):
    """Tells what a field may hold. Unless it is `strict`, null is as good as a field that is absent."""

    name: str  # behind "is not"
    holds: Callable[[Any], bool]
    strict: bool = False
    most: int = -1  # characters of a text that it holds in any case


class Room:
    """The room that the events of one file have left, so that reading them ends. `check` is that of a run's events."""

    def __init__(
        self, events: int = MAX_EVENTS, size: int = MAX_EVENT_BYTES, check: "Callable[[Any], Event] | None" = None
    ) -> None:
        self.events = events
        self.size = size
        self.names: set[str] = set()  # of values
        self._check = check or check_event

    def load(self, payload: bytes) -> Event:
        """Return the event of a frame; see `check_event`.

        Raises:
            DecodeError: the frame does not hold one, or the file has no room left.
        """
        if self.events < 1 or self.size < len(payload):
            raise DecodeError(f"a file has room for {MAX_EVENTS:,} events of {MAX_EVENT_BYTES >> 20} MiB in all")
        self.events -= 1
        self.size -= len(payload)
        if payload.startswith(_ENVIRONMENT) and self._check is check_event:
            return _load_environment(payload)
        event = self._check(frames.load_json(payload))
        self.take(event)
        return event

    def copy(self) -> "Room":
        """Return what is left, to go on by itself."""
        other = Room(self.events, self.size, self._check)
        other.names = set(self.names)
        return other

    def take(self, event: Event) -> None:
        """Note the names that an event gives values.

        Raises:
            DecodeError: there are too many.
        """
        values = event.get("values")
        if type(values) is not dict:
            return
        known = self.names
        if len(known) + len(values) > MAX_NAMES and sum(name not in known for name in values) > MAX_NAMES - len(known):
            raise DecodeError(f"a file has room for {MAX_NAMES:,} names of params, results, tags and facts of data")
        known.update(values)


def load_event(payload: bytes) -> Event:
    """Return the event of a frame; see `check_event`.

    Raises:
        DecodeError: the frame does not hold one.
    """
    return check_event(frames.load_json(payload))


def _load_environment(payload: bytes) -> Event:
    """Return the event of an environment, as `load_event` does.

    The runs of a machine have equal ones but for the time and the proof, so that its sections are read once for many.
    """
    whole, proof = _proof.parted(payload)
    time, _, rest = whole[len(_ENVIRONMENT) :].partition(b",")
    shared = _shared_environment(rest) if len(rest) < MAX_SHARED and _is_plain_number(time) else None
    if shared is None or (proof and not proof.isalnum()):
        return load_event(payload)
    return {**shared, "time": int(time), "proof": proof} if proof else {**shared, "time": int(time)}


def _is_plain_number(text: bytes) -> bool:
    """Return True for a positive whole number as JSON has it, of less than 64 bits."""
    return text.isdigit() and len(text) < 19 and not text.startswith(b"0")


@lru_cache(maxsize=64)
def _shared_environment(rest: bytes) -> Event | None:
    """Return the event of an environment whose other fields these are; None where they can't be used, or told twice."""
    try:
        event, other = (load_event(_ENVIRONMENT + time + rest) for time in (b"1,", b"2,"))
    except DecodeError:
        return None
    is_usual = event["time"] != other["time"] and event["type"] == "environment" and "proof" not in event
    return event if is_usual else None


def check_event(
    value: Any, schema: "Mapping[str, Fields] | None" = None, needed: "Mapping[str, tuple[str, ...]] | None" = None
) -> Event:
    """Return a JSON value as an event whose fields are as `SCHEMA` has them, or that of another kind of log.

    Kinds and fields that a newer runlore added are left alone. An event of which a rewriter left out the rest may lack
    any field.

    Raises:
        DecodeError: it is no object with a type and a time, or a field is missing or of another kind.
    """
    if type(value) is not dict or type(value.get("type")) is not str or not _is_time(value.get("time")):
        raise DecodeError("an event has no type or no time")
    schema, needed = (SCHEMA, NEEDED) if schema is None else (schema, needed or {})
    fields = schema.get(value["type"])
    if fields is None:
        return value
    for name, item in value.items():
        if name not in fields or (item is None and not fields[name].strict):
            continue
        kind = fields[name]
        if type(item) is str and len(item) <= kind.most:
            continue  # most are lines, and asked without a call
        if not kind.holds(item):
            raise DecodeError(f"{name!r} of an event {value['type']!r} is not {kind.name}")
    for name in needed.get(value["type"], ()):
        if name not in value or value[name] is None:
            _check_lack(value, name)
    return value


def _check_lack(event: Event, name: str) -> None:
    """Raise for a field that an event must not lack."""
    if not event.get("left_out") and not (event["type"] == "artifact" and event.get("completes")):
        raise DecodeError(f"an event {event['type']!r} has no {name!r}")


def is_plain(value: Any) -> bool:
    """Return True for a value as `runlore.log.values.describe` makes it."""
    if value is None or type(value) in _SIMPLE:
        return True
    if type(value) is not dict:
        return False
    if "$float" in value:
        return type(value["$float"]) is str and value["$float"] in _FLOATS
    return type(value.get("$type")) is str and all(type(value.get(key, "")) is str for key in ("text", "error"))


def are_plain(values: Any) -> bool:
    """Return True for values by name."""
    if type(values) is not dict:
        return False
    if not _SIMPLE.issuperset(map(type, values.values())) and not all(map(is_plain, values.values())):
        return False
    return max(map(len, values), default=0) <= MAX_NAME


def is_hash(value: Any) -> bool:
    """Return True for a sha256 as 64 hex digits."""
    return type(value) is str and is_sha256(value)


def _is_time(value: Any) -> bool:
    return type(value) is int and -MAX_TIME <= value <= MAX_TIME


def _is_line(value: Any) -> bool:
    return type(value) is str and len(value) <= MAX_NAME


def _are_numbers(values: Any) -> bool:
    return are_plain(values) and all(
        (type(value) in (int, float)) if type(value) is not dict else "$float" in value for value in values.values()
    )


def _are_tags(values: Any) -> bool:
    return type(values) is dict and all(_is_line(key) and _is_text_if_any(text) for key, text in values.items())


def _is_section(value: Any) -> bool:
    """Return True for a section of the environment: its values and their hash, or the hash of a blob with them."""
    if type(value) is not dict or type(value.get("sha256")) is not str:
        return False
    return are_plain(value["values"]) if "values" in value else is_hash(value["sha256"])


def _are_sections(value: Any) -> bool:
    return type(value) is dict and all(_is_line(name) and _is_section(section) for name, section in value.items())


def _is_error(value: Any) -> bool:
    return type(value) is dict and all(_is_text_if_any(value.get(key)) for key in ("type", "message", "traceback"))


def _is_text_if_any(value: Any) -> bool:
    return value is None or type(value) is str


def _are_members(value: Any) -> bool:
    """Return True for the files of a folder: path, size in bytes and sha256 of each."""
    return type(value) is list and all(
        type(item) is list and len(item) == 3 and _is_line(item[0]) and is_int64(item[1]) and is_hash(item[2])
        for item in value
    )


def _are_hashes(value: Any) -> bool:
    return type(value) is list and all(map(is_hash, value))


_SIMPLE = frozenset((str, float, int, bool, type(None)))
_FLOATS = ("NaN", "Infinity", "-Infinity")

LINE = Kind(f"a text of at most {MAX_NAME:,} characters", _is_line, most=MAX_NAME)
TEXT = Kind("a text", lambda value: type(value) is str)
TEXTS = Kind("a list of texts", are_texts)
FLAG = Kind("true or false", lambda value: type(value) is bool)
WHOLE = Kind("a whole number of 64 bits", is_int64)
COUNT = Kind("a whole number of 64 bits", is_int64, strict=True)
NUMBER = Kind("a number", lambda value: type(value) in (int, float))
HASH_TEXT = Kind("a sha256", is_hash)
HASHES = Kind("a list of sha256", _are_hashes)
VALUES = Kind("an object of plain values", are_plain)
NUMBERS = Kind("an object of numbers", _are_numbers)
TAGS = Kind("an object of texts", _are_tags)
SECTION = Kind("a section of the environment", _is_section)
SECTIONS = Kind("an object of sections of the environment", _are_sections)
ERROR = Kind("an object of texts", _is_error)
MEMBERS = Kind("a list of path, size and sha256", _are_members, strict=True)
RUNNABLE = Kind("true, or a list of texts", lambda value: value is True or are_texts(value))

Fields = dict[str, Kind]
SCHEMA: dict[str, Fields] = {  # kinds of fields, by type of event
    "open": {
        **dict.fromkeys(("mode", "run", "name", "experiment", "parent", "cwd", "began_in", "script"), LINE),
        **dict.fromkeys(("host", "boot", "pid_namespace", "predecessor", "launch", "reproduction"), LINE),
        **dict.fromkeys(("argv", "program", "spared"), TEXTS),
        **dict.fromkeys(("pid", "pid_start", "cut"), WHOLE),
        "seeds": SECTION,
    },
    "params": {"values": VALUES, "captured": FLAG},
    "summary": {"values": NUMBERS},
    "tags": {"values": TAGS},
    "note": {"text": TEXT, "user": LINE},
    "corrected": {"note": WHOLE, "text": TEXT, "user": LINE},
    "edited": {"name": LINE, "experiment": LINE},
    "environment": {"sections": SECTIONS},
    "artifact": {
        **dict.fromkeys(("name", "kind", "path", "monitor", "media"), LINE),
        **dict.fromkeys(("size", "step", "mtime_ns"), WHOLE),
        **dict.fromkeys(("epoch", "value"), NUMBER),
        **dict.fromkeys(("roles", "escaped_files", "captions"), TEXTS),
        **dict.fromkeys(("stored", "pending", "keep", "escaped", "completes"), FLAG),
        "id": Kind("a text", _is_line, strict=True),
        "sha256": HASH_TEXT,
        "files": MEMBERS,
        "executable": RUNNABLE,
        "why": TEXT,
    },
    "removed": {"path": LINE},
    "data": {"name": LINE, "values": VALUES},
    "link": {"kind": LINE, "run": LINE, "step": WHOLE, "sha256": LINE},
    "includes": {"run": LINE},
    "weights": {"sha256": HASH_TEXT, **dict.fromkeys(WEIGHTS, HASHES)},
    "dropped": {"sha256": TEXTS, "why": TEXT},
    "missing": {"what": TEXT, "why": TEXT},
    "found": {"what": TEXT},
    "gap": {"calls": COUNT, "points": WHOLE, "since": WHOLE, "why": TEXT},
    "counted": {"keys": TEXTS, "given": FLAG},
    "end": {"status": LINE, "error": ERROR, "lost": COUNT, "why": TEXT, "ran": WHOLE, "with_process": FLAG},
}
NEEDED: dict[str, tuple[str, ...]] = {  # fields without which an event tells nothing
    **dict.fromkeys(("params", "summary", "tags"), ("values",)),
    "note": ("text",),
    "corrected": ("note",),
    "environment": ("sections",),
    "artifact": ("name", "kind"),
    "removed": ("path",),
    "data": ("name", "values"),
    "link": ("kind", "run"),
    "includes": ("run",),
    "weights": ("sha256",),
    "dropped": ("sha256",),
    "missing": ("what", "why"),
    "found": ("what",),
    "gap": ("calls",),
    "counted": ("keys",),
    "end": ("status",),
}
