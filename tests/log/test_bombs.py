"""Small files that tell of much: a reader ends soon, takes little memory, and reads the runs beside them."""

import json
import struct
import time
import zlib
from array import array
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from runlore import open_store
from runlore._ids import id_time, new_run_id
from runlore.errors import RunloreWarning
from runlore.log import reader
from runlore.log.frames import COLUMNS, EVENT, HEAD, MARK_OF_KIND, MAX_PAYLOAD, frame
from runlore.log.points import BLOCK_BYTES, Block, KeySet
from tests.forged import ForgedStore, columns_frame, json_frame
from tests.process import Process

Python = Callable[..., Process]

Bomb = Callable[[ForgedStore], None]

MAX_SECONDS = 10.0  # of the processor: about one on a machine with nothing else to do
MAX_BYTES = 400 << 20
MAX_BYTES_OF_ROWS = 1500 << 20
KEY_ROWS = (BLOCK_BYTES - 36) // 36  # that a block of one key has at most
TALLY = [None, 5, 1.0, 4, 0.0, 1.0, True, 1, 2]

READ = """
import json, sys, time, warnings
import numpy, runlore
from runlore.errors import RunloreError
warnings.simplefilter("ignore")
told = {}
for name in sys.argv[1:]:
    began = time.process_time()
    store = runlore.open_store(name)
    runs = store.runs()
    for run in runs:
        run.missing, run.environment, run.notes
        for series in list(run.metrics.values())[:3]:
            len(series.values)
    told[name] = [time.process_time() - began, sorted(run.name for run in runs)]
    store.index
with open("/proc/self/status") as status:  # getrusage tells of the process that this one was forked from, too
    told["bytes"] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
print(json.dumps(told))
"""


def constant(rows: int, keys: int = 1, first: int = 0) -> bytes:
    names = [f"m{number}" for number in range(keys)]
    columns = [["range", 16]] * 3 + [["constant", 8]] * (1 + keys)
    head = {"keys": names, "split": None, "rows": rows, "columns": columns}
    return columns_frame(head, struct.pack("<qQ", first, 1) * 3 + bytes(8) * (1 + keys))


def seal(store: ForgedStore, columns: list[bytes], *, trailer: bool = True, **footer: Any) -> None:
    run = new_run_id(time.time_ns() // 1000)
    honest = {"time": id_time(run), "name": "bomb"}
    events = [{"type": "open", "run": run, **honest}, {"type": "end", "status": "finished", **honest}]
    footer = {"key_sets": [["m0"]], "tallies": {"m0": TALLY}} | footer
    path = store.sealed(run, columns, events, footer)
    if not trailer:
        path.write_bytes(path.read_bytes()[:-24])


def doubtful(store: ForgedStore) -> None:
    seal(store, [constant(KEY_ROWS)] * 3_000, tallies={"m0": [*TALLY[:6], False, 1, 2]})


def drawn(store: ForgedStore) -> None:
    seal(store, [constant(KEY_ROWS)] * 3_000)


def without_trailer(store: ForgedStore) -> None:
    seal(store, [constant(KEY_ROWS)] * 3_000, trailer=False)


def huge_block(store: ForgedStore) -> None:
    seal(store, [constant(10**11)], tallies={"m0": [*TALLY[:6], False, 1, 2]})


def one_block_often(store: ForgedStore) -> None:
    seal(store, [constant(1)], chunks=[[8, 0]] * 300_000)


def inflating(store: ForgedStore) -> None:
    packer = zlib.compressobj(9)
    data = b"".join([packer.compress(bytes(1 << 24)) for _ in range(4)]) + packer.flush()
    head = {"keys": ["m0"], "split": None, "rows": 1, "columns": [["delta", len(data)]] + [["constant", 8]] * 4}
    seal(store, [columns_frame(head, data + bytes(32))], trailer=False)


def many_key_sets(store: ForgedStore) -> None:
    store.run(name="bomb", frames=[frame(ord("K"), b'{"id":%d,"keys":[],"split":null}' % at) for at in range(400_000)])


def bad_events(store: ForgedStore) -> None:
    store.run(name="bomb", frames=[frame(EVENT, b"0") * 1_500_000])


def many_keys(store: ForgedStore) -> None:
    keys = [f"k{number}" for number in range(300_000)]
    row = frame(ord("P"), struct.pack(f"<Iqqd{len(keys)}d", 0, 1, 0, 0.0, *[1.0] * len(keys)))
    store.run(name="bomb", frames=[json_frame("K", {"id": 0, "keys": keys, "split": None}), row])


def many_names(store: ForgedStore) -> None:
    names = [
        {"type": "params", "values": dict.fromkeys((f"k{part}_{at}" for at in range(150_000)), 1)} for part in range(20)
    ]
    store.run([*names, *({"type": "tags", "values": {f"t{at}": ""}} for at in range(100_000))], name="bomb")


def many_sections(store: ForgedStore) -> None:
    sections = {f"s{number}": {"values": {"a": number}, "sha256": f"{number}"} for number in range(50_000)}
    store.run([{"type": "environment", "sections": sections}], name="bomb")


def large_section(store: ForgedStore) -> None:
    place = store.root / "blobs" / "ab" / ("ab" * 32)
    place.parent.mkdir()
    place.touch()
    with place.open("r+b") as file:
        file.truncate(300 << 20)
    store.run([{"type": "environment", "sections": {"packages": {"sha256": "ab" * 32}}}], name="bomb")


def hole(store: ForgedStore) -> None:
    run = store.run(name="bomb")
    (log,) = store.root.rglob(f"{run}*.log")
    with log.open("r+b") as file:
        file.truncate(1 << 40)


def orphans(store: ForgedStore) -> None:
    row = frame(ord("P"), struct.pack("<Iqqdd", 7, 1, 0, 0.0, 1.0))
    store.run(name="bomb", frames=[row * 400_000])


def brackets(store: ForgedStore) -> None:
    payload = b'{"type":"x","time":1,"x":[' + b"[]," * 6_000_000 + b"1]}"
    store.run(name="bomb", frames=[frame(ord("J"), payload)])


def short_heads(store: ForgedStore) -> None:
    store.run(name="bomb", frames=[b"\xa5RL" * 12_000_000])


def short_frames(store: ForgedStore) -> None:
    store.run(name="bomb", frames=[frame(ord("K"), b"0") * 3_000_000])


def heads(store: ForgedStore) -> None:
    """Beginnings of frames, each of which claims all that is behind it: to check them all takes hours."""
    count = 80_000
    parts = [HEAD.pack(MARK_OF_KIND[EVENT], (count - number) * HEAD.size, 0) for number in range(count)]
    store.run(name="bomb", frames=parts)


def islands(store: ForgedStore) -> None:
    """Frames of zeros with right checksums, each of which is a hole but for its head."""
    payload = bytes(MAX_PAYLOAD)
    head = frame(EVENT, payload)[: HEAD.size]
    (log,) = store.root.rglob(f"{store.run(name='bomb')}*.log")
    with log.open("r+b") as file:
        for place in range(log.stat().st_size, 1 << 36, MAX_PAYLOAD + HEAD.size):
            file.seek(place)
            file.write(head)
        file.truncate(1 << 36)


def overlapping(store: ForgedStore) -> None:
    """Blocks of points that lie in each other, each as long as a frame may be."""
    head = HEAD.pack(MARK_OF_KIND[COLUMNS], MAX_PAYLOAD, 0)
    chunks = [[8 + HEAD.size * number, 0] for number in range(20_000)]
    tallies = {"m0": [*TALLY[:6], False, 1, 2]}
    seal(store, [head * len(chunks), columns_frame({}, bytes(4 << 20))], chunks=chunks, tallies=tallies)


ROWS = [doubtful, drawn, without_trailer]
BOMBS = [
    huge_block, one_block_often, inflating, many_key_sets, bad_events, many_keys, many_names, many_sections,
    large_section, hole, orphans, brackets, heads, short_heads, short_frames, islands, overlapping,
]  # fmt: skip


@pytest.mark.parametrize("bombs", [BOMBS, pytest.param(ROWS, marks=pytest.mark.stress)], ids=["all kinds", "rows"])
def test_bombs_are_read_soon_and_in_little_memory(bombs: list[Bomb], tmp_path: Path, python: Python) -> None:
    for bomb in bombs:
        store = ForgedStore(tmp_path / bomb.__name__)
        store.run(name="innocent")
        bomb(store)
    told = json.loads(python(READ, *(str(tmp_path / bomb.__name__) for bomb in bombs)).succeed())
    assert told.pop("bytes") < (MAX_BYTES_OF_ROWS if bombs is ROWS else MAX_BYTES)
    read = {Path(place).name: names for place, (_, names) in told.items()}
    assert read == {bomb.__name__: ["bomb", "innocent"] for bomb in bombs}
    assert {Path(place).name: seconds for place, (seconds, _) in told.items() if seconds > MAX_SECONDS} == {}


@pytest.mark.parametrize("exact", [True, False])
def test_points_beyond_what_the_size_of_a_file_allows_for_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    monkeypatch.setattr(reader, "FREE_ROWS", 100_000)
    store = ForgedStore(tmp_path)
    seal(store, [constant(KEY_ROWS)] * 10, tallies={"m0": [*TALLY[:6], exact, 1, 2]})
    (run,) = open_store(tmp_path).runs()
    with pytest.warns(RunloreWarning, match="7 damaged blocks"):
        values = run.metrics["m0"].values
    assert values.tolist() == [0.0] * KEY_ROWS
    assert "more than a reader takes" in str(run.missing)


@pytest.mark.parametrize("places", [(1 << 63, (1 << 64) - 1), (1 << 40, 1 << 50)])
def test_a_trailer_that_names_places_beyond_the_file_is_damage(tmp_path: Path, places: tuple[int, int]) -> None:
    store = ForgedStore(tmp_path)
    seal(store, [constant(3)])
    (path,) = tmp_path.rglob("*.run")
    path.write_bytes(path.read_bytes()[:-24] + struct.pack("<QQ8s", *places, b"RLSEALED"))
    (run,) = open_store(tmp_path).runs()
    assert (run.name, run.status, run.metrics["m0"].count) == ("bomb", "finished", 3)


@pytest.mark.long
def test_large_honest_files_are_read_as_a_whole(tmp_path: Path) -> None:
    """Ten million points of one key, and 20,000 rows of 2,000 keys whose values stand still."""
    store = ForgedStore(tmp_path)
    clock = count(1_700_000_000_000_000, 7)
    blocks = []
    for first in range(0, 10_000_000, KEY_ROWS):
        steps = array("q", range(first, min(first + KEY_ROWS, 10_000_000)))
        times = array("q", (next(clock) for _ in steps))
        still = array("d", [0.5]) * len(steps)
        blocks.append(frame(ord("C"), Block(("m0",), None, steps, times, steps, still, [still]).encode()))
    seal(store, blocks, tallies={"m0": [None, 10_000_000, 0.5, 9_999_999, 0.5, 0.5, False, 1, 2]})
    keys = tuple(f"m{number}" for number in range(2_000))
    rows = BLOCK_BYTES // KeySet(0, keys, None).row().size
    blocks = [constant(rows, 2_000, first) for first in range(0, 20_000, rows)]
    length = len(blocks) * rows
    tallies = {key: [None, length, 0.0, length - 1, 0.0, 0.0, False, 1, 2] for key in keys}
    seal(store, blocks, key_sets=[keys], tallies=tallies)
    wide, long = open_store(tmp_path).runs()
    assert long.metrics["m0"].values.shape == (10_000_000,)
    assert wide.metrics["m1999"].count == len(wide.metrics["m1999"].values) == length
    assert not any("blocks" in item["what"] or "bytes" in item["what"] for run in (wide, long) for item in run.missing)
