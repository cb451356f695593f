"""The format: golden files of every number are read for ever, and docs/format.md is enough to read them."""

import hashlib
import json
import math
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from runlore import open_store
from runlore.provenance.origins import which_run

GOLDEN = Path(__file__).parent.parent / "golden"
FORMATS = sorted(path for path in GOLDEN.glob("format-*") if path.is_dir())


@pytest.mark.parametrize("golden", FORMATS, ids=lambda path: path.name)
def test_golden_files_are_read(golden: Path, tmp_path: Path) -> None:
    shutil.copytree(golden / "store", tmp_path / "copy")
    store = open_store(tmp_path / "copy")
    expected = json.loads((golden / "expected.json").read_text())
    assert len(store.runs()) == expected["runs"]
    run = store.run("sealed")
    assert (run.status, run.params) == ("finished", {"lr": 0.1, "model.depth": 3})
    written = "ann" if golden.name in ("format-1-noted", "format-1-corrected") else None  # since notes have authors
    corrected = "ann" if golden.name == "format-1-corrected" else None  # since they can be corrected and removed
    assert [(note.text, note.user, note.editor) for note in run.notes] == [("a note", written, corrected)]
    assert run.tags == {"team": "vision", "late": "yes"}
    assert run.metrics["loss"].values.tolist() == [9.0 if step == 3 else 1 / (step + 1) for step in range(40)]
    assert run.metrics["acc"].epochs.tolist() == [step / 10 for step in range(40)]
    assert (run.metrics["val/accuracy"].last, run.metrics["val/accuracy"].split) == (0.5, "val")
    assert math.isnan(run.metrics["val/odd"].last)
    assert run.environment["packages"]["pluggy"]
    for described in store.runs("name == 'described'"):  # not in the first files of format 1
        assert described.params == {"password": "[masked]"}
        assert (described.data["X"]["shape"], described.data["X"]["missing"]) == ([2, 2], 1)
        assert described.data["y"]["classes"] == ["no", "yes"]
        assert described.artifact("model.pkl").read_bytes() == b"model"
        assert (described.artifact("w").sha256, described.links[0]["kind"]) == ("ab" * 32, "refit_of")
        for media in (item for item in described.artifacts if item.media):  # since there are media
            assert (media.media, media.kind, media.step) == ("predictions", "table", 3)
            assert json.loads(media.read_bytes()) == {"columns": ["id", "true"], "rows": [[1, "cat"]]}
    for rewound in store.runs("name == 'rewound'"):  # since there are summaries
        assert rewound.metrics["loss"].values.tolist() == [0.0, 1.0, 20.0]
        assert rewound.summary == {"train_runtime": 1.5, "best.score": math.inf}
    for asked in store.runs("like(name, 'asked%')"):  # since there are questions
        assert asked.links == [{"kind": "resumed_from", "run": run.id, "step": 3, "sha256": "cd" * 32}]
        assert (asked.artifact("model.pt").stored, asked.artifact("plot.png").stored) == (True, False)
        (origin,) = which_run(store, "ef" * 32).found
        assert (origin.run, origin.artifact, origin.match) == (asked.id, "model.pt", "weights")
    for model in store.models():  # since there are models
        told = [(change.before, change.version, change.user, change.host) for change in model.history if change.alias]
        assert (model.name, model["prod"].run.name, model["1"].note) == ("digits", "asked-again", "a note")
        assert told == [(None, "1", "ann", "lab"), ("1", "2", "ann", "lab")]
        assert model["1"].artifact.read_bytes() == b"model"
    crashed = store.run("cut off")
    assert crashed.status in ("crashed", "silent"), "only a machine of the same name can tell that it was booted since"
    assert crashed.metrics["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


# A reader written from docs/format.md alone.


def frames(data: bytes, place: int) -> Iterator[tuple[bytes, bytes, int]]:
    while place + 12 <= len(data):
        begin, kind = place, data[place + 3 : place + 4]
        length, check = struct.unpack_from("<II", data, place + 4)
        payload = data[place + 12 : place + 12 + length]
        if data[place : place + 3] != b"\xa5RL" or len(payload) < length or zlib.crc32(kind + payload) != check:
            return
        place += 12 + length
        yield kind, payload, begin


def column(encoding: str, packed: bytes, rows: int) -> list[Any]:
    def numbers(form: str, width: int) -> list[Any]:
        planes = zlib.decompress(packed)
        raw = b"".join(planes[row::rows] for row in range(rows))
        return list(struct.unpack(f"<{rows}{form}", raw)) if len(raw) == rows * width else []

    def signed(word: int) -> int:
        word %= 1 << 64
        return word - (1 << 64) if word >> 63 else word

    if encoding == "range":
        first, difference = struct.unpack("<qQ", packed)
        return [signed(first + row * difference) for row in range(rows)]
    if encoding == "delta":
        total, found = 0, []
        for difference in numbers("Q", 8):
            total += difference
            found.append(signed(total))
        return found
    if encoding == "constant":
        return list(struct.unpack("<d", packed)) * rows
    return numbers("f", 4) if encoding == "float32" else numbers("d", 8)


def read(path: Path) -> tuple[list[dict[str, Any]], dict[str, dict[int, float]]]:
    """Events, and series by key and step, of a log or a sealed file."""
    data = path.read_bytes()
    sealed = data[:6] == b"RLRUN\0"
    assert sealed or data[:6] == b"RLLOG\0"
    assert struct.unpack_from("<H", data, 6) == (1,)
    events: list[dict[str, Any]] = []
    points: list[tuple[int, str, int, float]] = []
    sets: dict[int, list[str]] = {}
    for kind, payload, _ in frames(data, 8 if sealed else 1024):
        if kind == b"J":
            events.append(json.loads(payload))
        elif kind == b"K":
            item = json.loads(payload)
            sets[item["id"]] = item["keys"]
        elif kind == b"P":
            number, _, step, _ = struct.unpack_from("<Iqqd", payload)
            values = struct.unpack_from(f"<{len(sets[number])}d", payload, 28)
            points += [(len(points), key, step, value) for key, value in zip(sets[number], values, strict=True)]
        elif kind == b"C":
            (size,) = struct.unpack_from("<I", payload)
            head = json.loads(payload[4 : 4 + size])
            place, columns = 4 + size, []
            for encoding, length in head["columns"]:
                columns.append(column(encoding, payload[place : place + length], head["rows"]))
                place += length
            position, steps = columns[0], columns[2]
            for key, series in zip(head["keys"], columns[4:], strict=True):
                points += list(zip(position, [key] * len(steps), steps, series, strict=True))
    if sealed:
        assert data.endswith(b"RLSEALED")
        start, footer = struct.unpack("<QQ", data[-24:-8])
        assert data[start + 3 : start + 4] == b"J"
        assert data[footer + 3 : footer + 4] == b"F"
    found: dict[str, dict[int, float]] = {}
    for _, key, step, value in sorted(points, key=lambda point: point[0]):
        found.setdefault(key, {})[step] = value
    return events, found


@pytest.mark.parametrize("golden", FORMATS, ids=lambda path: path.name)
def test_the_page_is_enough_to_write_a_reader(golden: Path, tmp_path: Path) -> None:
    shutil.copytree(golden / "store", tmp_path / "copy")
    store = open_store(tmp_path / "copy")
    for path in sorted((golden / "store").glob("runs/*/*/*.0000*")):
        events, series = read(path)
        run = store.run(path.name.partition(".")[0])
        if len(run.segments) > 1:
            continue  # what the files of several mean together, the page says, too
        assert events[0]["type"] == "open"
        assert events[0]["name"] == run.name
        assert set(series) == set(run.metrics)
        for key, points in series.items():
            mine = run.metrics[key]
            assert sorted(points) == mine.steps.tolist()
            assert repr([points[step] for step in sorted(points)]) == repr(mine.values.tolist())


def test_the_page_is_enough_to_read_a_model() -> None:
    (path,) = (GOLDEN / "format-1-named" / "store" / "models").glob("*/*.log")
    data = path.read_bytes()
    assert data[:8] == b"RLMOD\0" + struct.pack("<H", 1)
    events = [json.loads(payload) for _, payload, _ in frames(data, 8)]
    assert path.parent.name.endswith(hashlib.sha256(events[0]["model"].encode()).hexdigest()[:16])
    versions = {event["version"]: event["number"] for event in events if event["type"] == "version"}
    (alias,) = {event["alias"] for event in events if event["type"] == "alias"}
    named = [
        versions[event["version"]] for event in sorted(events, key=lambda event: event["order"]) if "alias" in event
    ]
    assert (alias, named, events[-1]["text"]) == ("prod", [1, 2], "fails on sevens")
