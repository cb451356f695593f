"""Events: the JSON objects of a log, checked before anything in them is used. docs/format.md lists them."""

import re
from collections.abc import Callable
from typing import Any

from runlore.log import frames
from runlore.log.frames import DecodeError, are_texts, is_int64

Event = dict[str, Any]

HASH = re.compile(r"[0-9a-f]{64}")
WEIGHTS = ("fingerprints", "shapes", "tensors")  # kinds of hashes of a model file


def event_frame(event: Event) -> bytes:
    """Return the frame of an event; what JSON can't hold is written as its text."""
    return frames.frame(frames.EVENT, frames.dump_json(event))


def load_event(payload: bytes) -> Event:
    """Return the event of a frame; see `check_event`.

    Raises:
        DecodeError: the frame does not hold one.
    """
    return check_event(frames.load_json(payload))


def check_event(value: Any) -> Event:
    """Return a JSON value as an event. Only what every reader relies on is checked; `check_content` looks at the rest.

    Raises:
        DecodeError: it is no object with a type and a time, or an "open" or "end" that can't be used.
    """
    if not isinstance(value, dict) or not isinstance(value.get("type"), str) or not is_int64(value.get("time")):
        raise DecodeError("an event has no type or no time")
    if value["type"] == "open" and not _is_opening(value):
        raise DecodeError("an opening names a process or a cut that can't be")
    if value["type"] == "end" and not _is_end(value):
        raise DecodeError("an end has no status, or an error that is none")
    return value


def check_content(event: Event) -> None:
    """Check the fields of an event that `Record.apply` uses; kinds that a newer runlore added are left alone.

    Raises:
        DecodeError: something is missing or has the wrong type, or a hash is none.
    """
    check = _CHECKS.get(event["type"])
    if check is not None and not check(event):
        raise DecodeError("it lacks a field, or has one of a wrong type")


def _is_opening(event: Event) -> bool:
    numbers = all(event.get(key) is None or is_int64(event[key]) for key in ("cut", "pid", "pid_start"))
    spared = event.get("spared")
    return numbers and _is_text(event.get("boot")) and (spared is None or are_texts(spared))


def _is_end(event: Event) -> bool:
    error = event.get("error")
    if error is not None and not (isinstance(error, dict) and _is_text(error.get("type"))):
        return False
    return isinstance(event.get("status"), str) and all(is_int64(event.get(key, 0)) for key in ("lost", "ran"))


def _has_seeds(event: Event) -> bool:
    return event.get("seeds") is None or _is_section(event["seeds"])


def _has_values(event: Event) -> bool:
    return _are_plain(event.get("values"))


def _has_tags(event: Event) -> bool:
    values = event.get("values")
    return isinstance(values, dict) and all(map(_is_text, values.values()))


def _is_edit(event: Event) -> bool:
    return all(_is_text(event.get(key)) for key in ("name", "experiment"))


def _has_text(event: Event) -> bool:
    return isinstance(event.get("text"), str)


def _is_data(event: Event) -> bool:
    return isinstance(event.get("name"), str) and _are_plain(event.get("values"))


def _is_removal(event: Event) -> bool:
    return isinstance(event.get("path"), str)


def _has_sections(event: Event) -> bool:
    sections = event.get("sections")
    return isinstance(sections, dict) and all(map(_is_section, sections.values()))


def _is_link(event: Event) -> bool:
    texts = isinstance(event.get("kind"), str) and isinstance(event.get("run"), str)
    return texts and _is_text(event.get("sha256")) and (event.get("step") is None or is_int64(event["step"]))


def _is_drop(event: Event) -> bool:
    return are_texts(event.get("sha256")) and _is_text(event.get("why"))


def _has_weights(event: Event) -> bool:
    hashes = [event.get("sha256")]
    for kind in WEIGHTS:
        found = event.get(kind, [])
        if not isinstance(found, list):
            return False
        hashes += found
    return all(map(_is_hash, hashes))


def _is_loss(event: Event) -> bool:
    return not any(isinstance(event.get(key, []), list | dict) for key in ("what", "why"))


def _is_gap(event: Event) -> bool:
    return is_int64(event.get("calls"))


def _is_artifact(event: Event) -> bool:
    files = event.get("files")
    roles = event.get("roles")
    return (
        all(_is_text(event.get(key)) for key in ("path", "id", "why", "monitor"))
        and all(event.get(key) is None or type(event[key]) is int for key in ("size", "step", "mtime_ns"))
        and all(event.get(key) is None or type(event[key]) in (int, float) for key in ("epoch", "value"))
        and (event.get("sha256") is None or _is_hash(event["sha256"]))
        and (files is None or (isinstance(files, list) and all(map(_is_member, files))))
        and (roles is None or are_texts(roles))
        and (event.get("executable") in (None, True) or are_texts(event["executable"]))
        and (event.get("escaped_files") is None or are_texts(event["escaped_files"]))
        and all(isinstance(event.get(key, "" if event.get("completes") else None), str) for key in ("name", "kind"))
    )


def _is_member(value: Any) -> bool:
    """Return True for a file of a folder: path, size in bytes and sha256."""
    if not isinstance(value, list) or len(value) != 3:
        return False
    path, size, sha256 = value
    return isinstance(path, str) and type(size) is int and _is_hash(sha256)


def _is_section(value: Any) -> bool:
    """Return True for a section of the environment: its values and their hash, or the hash of a blob with them."""
    if not isinstance(value, dict) or not isinstance(value.get("sha256"), str):
        return False
    return _are_plain(value["values"]) if "values" in value else _is_hash(value["sha256"])


def _are_plain(values: Any) -> bool:
    """Return True for values by name; a float that JSON can't spell has one of the three known names."""
    if not isinstance(values, dict):
        return False
    named = (value["$float"] for value in values.values() if isinstance(value, dict) and "$float" in value)
    return all(name in ("NaN", "Infinity", "-Infinity") for name in named)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASH.fullmatch(value) is not None


_CHECKS: dict[str, Callable[[Event], bool]] = {
    "open": _has_seeds,
    "params": _has_values,
    "summary": _has_values,
    "tags": _has_tags,
    "note": _has_text,
    "edited": _is_edit,
    "data": _is_data,
    "artifact": _is_artifact,
    "removed": _is_removal,
    "environment": _has_sections,
    "link": _is_link,
    "dropped": _is_drop,
    "weights": _has_weights,
    "missing": _is_loss,
    "gap": _is_gap,
}
