"""Rows that are taken many at a time: what is read is what one after the other would tell."""

import io
import json
import math
import random
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore.log import columns, frames, points
from runlore.log.long import gathered
from runlore.log.long.rows import LONG_BYTES, good_rows
from runlore.log.points import BLOCK_BYTES, Block, KeySet
from runlore.log.reader import read_log
from runlore.log.replay import Replay
from runlore.log.superseding import read_series
from tests.process import Process

Python = Callable[..., Process]
HEAD = frames.signature(frames.LOG_SIGNATURE).ljust(frames.SLOT_END, b"\0")
SETS = [KeySet(0, ("loss",), None), KeySet(1, ("acc", "f1"), "val"), KeySet(7, (), None)]


def row(key_set: KeySet, step: int) -> bytes:
    values = [step / 7 + place for place in range(len(key_set.keys))]
    return frames.frame(frames.ROW, key_set.row().pack(key_set.number, 1000 + step, step, 0.5, *values))


def log_of(kinds: list[int]) -> list[bytes]:
    """The frames of a log: all key sets, and a row of a key set for each number."""
    defined = [frames.frame(frames.KEYS, key_set.encode()) for key_set in SETS]
    return [HEAD, *defined, *(row(SETS[kind], step) for step, kind in enumerate(kinds))]


def told(replay: Replay, blocks: list[Block]) -> tuple[object, ...]:
    points = sorted(
        (keys, int(position), int(time), int(step), float(epoch), *map(float, values))
        for keys, _, positions, times, steps, epochs, columns_of_keys in blocks
        for position, time, step, epoch, *values in zip(positions, times, steps, epochs, *columns_of_keys, strict=True)
    )
    return (
        replay.rows,
        replay.offset,
        replay.damage,
        replay.tail,
        replay.broken,
        replay.orphans,
        points,
        json.loads(replay.encode()),
    )


def read(replay: Replay, data: bytes, blocks: list[Block]) -> None:
    file = io.BytesIO(data)
    file.name = "a.log"
    replay.advance(file, blocks.append)


def at_once(data: bytes) -> tuple[object, ...]:
    blocks: list[Block] = []
    replay = Replay()
    read(replay, data, blocks)
    return told(replay, blocks)


def bit_by_bit(data: bytes, ends: Iterator[int]) -> tuple[object, ...]:
    blocks: list[Block] = []
    replay = Replay()
    for end in ends:
        read(replay, data[:end], blocks)
    return told(replay, blocks)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 90)), max_size=4),
    st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(1, 255)), max_size=2),
    st.integers(0, 60),
)
def test_a_log_is_read_at_once_as_frame_by_frame(
    stretches: list[tuple[int, int]], damage: list[tuple[int, int]], cut: int
) -> None:
    kinds = [kind for kind, count in stretches for _ in range(count)]
    half = kinds[: len(kinds) // 2]
    random.Random(cut).shuffle(half)
    kinds[: len(half)] = half
    parts = log_of(kinds)
    ends = np.cumsum([len(part) for part in parts])
    data = bytearray(b"".join(parts))
    for place, change in damage:
        if len(data) > ends[3]:
            data[int(ends[3]) + place % (len(data) - int(ends[3]))] ^= change
    whole = bytes(data[: max(int(ends[3]), len(data) - cut)])
    assert at_once(whole) == bit_by_bit(whole, iter([*map(int, ends[3:]), len(whole)]))


def test_mixed_rows_are_taken_up_to_the_first_that_is_damaged() -> None:
    parts = log_of([step % 2 for step in range(1000)])[4:]
    data = bytearray(b"".join(parts))
    key_sets = {key_set.number: key_set for key_set in SETS}
    taken, rows = good_rows(bytes(data), 0, key_sets)
    assert (taken, [len(item.order) for item in rows]) == (len(data), [500, 500])
    place = sum(map(len, parts[:601])) - 1  # the last byte of row 600
    data[place] ^= 1
    taken, rows = good_rows(bytes(data), 0, key_sets)
    assert (taken, [len(item.order) for item in rows]) == (sum(map(len, parts[:600])), [300, 300])


@pytest.mark.parametrize("keys", [0, 1, 200])
def test_checksums_are_those_of_zlib(keys: int) -> None:
    key_set = KeySet(3, tuple(map(str, range(keys))), None)
    parts = [row(key_set, step) for step in range(100)]
    assert parts[0][8:12] == crc32(b"P" + parts[0][12:]).to_bytes(4, "little")
    taken, (rows,) = good_rows(b"".join(parts), 0, {3: key_set})
    assert taken == sum(map(len, parts))
    assert rows.payloads.tobytes() == b"".join(part[12:] for part in parts)


def test_a_series_is_read_in_little_more_room_than_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks were kept until all were read, and copied twice."""
    monkeypatch.setattr(points, "BLOCK_BYTES", BLOCK_BYTES // 16)  # so that there are many
    path = tmp_path / "run.0000abcd.log"
    path.write_bytes(b"".join(log_of([0] * 300_000)))
    content = read_log(path, 0)
    tracemalloc.start()
    try:
        arrays = read_series([content], ["loss"])["loss"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert arrays[0].tolist() == list(range(300_000))
    assert peak < 1.6 * sum(
        array.nbytes for array in arrays
    )  # where its rows lie takes a quarter, and a piece of the log


@pytest.mark.parametrize("few", [0, 1, 1000])
def test_of_points_in_several_key_sets_the_last_row_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(points, "BLOCK_BYTES", 1000)  # so that there are many
    monkeypatch.setattr(gathered, "FEW_BLOCKS", few)
    sets = [KeySet(0, ("loss",), None), KeySet(1, ("loss", "acc"), None)]
    parts = [HEAD, *(frames.frame(frames.KEYS, key_set.encode()) for key_set in sets)]
    for number in range(500):
        key_set = sets[number // 3 % 2]
        fields = key_set.number, number, number // 2, math.nan, *[float(number)] * len(key_set.keys)
        parts.append(frames.frame(frames.ROW, key_set.row().pack(*fields)))
    path = tmp_path / "run.0000abcd.log"
    path.write_bytes(b"".join(parts))
    steps, values, times, epochs = read_series([read_log(path, 0)], ["loss"])["loss"]
    assert steps.tolist() == list(range(250))
    assert values.tolist() == times.tolist() == list(range(1, 500, 2))
    assert np.isnan(epochs).all()


def test_whoever_reads_a_long_log_takes_many_rows_at_once(tmp_path: Path, python: Python) -> None:
    """A process whose index knew everything read one row after the other, which took ten times as long."""
    for name, rows in (("long", LONG_BYTES // 48 + 1), ("short", 1000)):
        (tmp_path / name).write_bytes(b"".join(log_of([0] * rows)))
    python(
        """
        import sys
        from pathlib import Path
        from runlore.log.reader import read_log
        for name in ("short", "long"):
            assert "numpy" not in sys.modules
            read_log(Path(sys.argv[1]) / name, 0)
        assert "numpy" in sys.modules
        """,
        str(tmp_path),
    ).succeed()


def test_blocks_are_whole_and_packed_alike_by_numpy() -> None:
    parts = log_of([0] * (BLOCK_BYTES // 36 + 100))
    blocks: list[Block] = []
    read(Replay(), b"".join(parts), blocks)
    assert [len(block.step) for block in blocks] == [BLOCK_BYTES // 36 + 1, 99]
    for block in blocks:
        assert Block.decode(block.encode()).encode() == block.encode()  # of array.array: packed without numpy
    assert all((after.position[0] - before.position[-1]) == 1 for before, after in pairwise(blocks))


@given(st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=1, max_size=20), st.lists(st.floats(), min_size=1))
def test_numpy_packs_any_column_as_the_library_does(numbers: list[int], floats: list[float]) -> None:
    found = columns.pack_integers(np.array(numbers, np.int64))
    assert columns.unpack(*found, len(numbers)).tolist() == numbers
    packed = columns.pack_floats(np.array(floats))
    assert columns.unpack(*packed, len(floats)).tobytes() == np.array(floats).tobytes()
