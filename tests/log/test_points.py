"""Points: key sets, blocks and tallies come back as they were, or are refused."""

import json
import math
import struct
from array import array
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore import Store
from runlore.log import columns
from runlore.log.frames import DecodeError
from runlore.log.points import Block, KeySet, PackedBlock, Tally
from tests.log.strategies import JSON, spoiled

BLOCK = Block(
    ("loss", "acc"), "train", array("q", [0, 1, 3]), array("q", [5, 6, 9]), array("q", [1, 2, 2]),
    array("d", [0.5, math.nan, 1.0]), [array("d", [1.0, 0.1, -1.0]), array("d", [2.0, 2.0, 2.0])],
)  # fmt: skip
TALLY = ["val", 3, 0.5, 7, -1.0, "Infinity", True, 1, 2]


def taken_apart(payload: bytes) -> tuple[Any, bytes]:
    """The head of a block, and its packed columns."""
    (size,) = struct.unpack_from("<I", payload)
    return json.loads(payload[4 : 4 + size]), payload[4 + size :]


def put_together(head: Any, packed: bytes) -> bytes:
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + packed


HEAD, PACKED = taken_apart(BLOCK.encode())


def test_a_block_comes_back() -> None:
    assert repr(Block.decode(BLOCK.encode())) == repr(BLOCK)
    assert Block.decode(put_together(HEAD, PACKED)).keys == BLOCK.keys


@pytest.mark.parametrize("decode", [KeySet.decode, Block.decode, PackedBlock.decode])
@given(payload=st.binary(max_size=80) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_taken_or_refused(decode: Callable[[bytes], Any], payload: bytes) -> None:
    with suppress(DecodeError):
        decode(payload)


@given(spoiled({"id": 3, "keys": ["loss", "acc"], "split": "val"}))
def test_a_spoiled_key_set_is_taken_or_refused(item: Any) -> None:
    try:
        key_set = KeySet.decode(json.dumps(item).encode())
    except DecodeError:
        return
    assert KeySet.decode(key_set.encode()) == key_set
    assert key_set.row().size == 28 + 8 * len(key_set.keys)


@given(spoiled(HEAD), st.binary(max_size=2), st.integers(0, len(PACKED)))
def test_a_spoiled_block_is_taken_or_refused(head: Any, more: bytes, end: int) -> None:
    try:
        block = Block.decode(put_together(head, (PACKED + more)[: end + len(more)]))
    except DecodeError:
        return
    everything: list[Any] = [block.position, block.time, block.epoch, *block.values]
    assert {len(column) for column in everything} == {len(block.step)}
    assert len(block.values) == len(block.keys)
    Tally().add(block.step, block.epoch, block.time)


@given(st.integers(0, len(PACKED) - 1), st.integers(1, 255))
def test_both_readers_refuse_the_same_columns(place: int, change: int) -> None:
    packed = bytearray(PACKED)
    packed[place] ^= change
    found = []
    for unpack in (columns.unpack, columns.unpack_numpy):
        try:
            block = PackedBlock.decode(put_together(HEAD, bytes(packed)))
            lost: set[str] = set()
            good = [list(map(float, points.value)) for points in block.points(BLOCK.keys, unpack, lost)]
            found.append(repr((good, lost)))
        except DecodeError:
            found.append("refused")
    assert found[0] == found[1]


@pytest.mark.parametrize("encoding", [*columns.INTEGERS, *columns.FLOATS, "unknown"])
@given(data=st.binary(max_size=40), rows=st.integers(1, 5))
def test_any_bytes_are_a_column_or_refused(encoding: str, data: bytes, rows: int) -> None:
    for unpack in (columns.unpack, columns.unpack_numpy):
        with suppress(DecodeError):
            assert len(unpack(encoding, data, rows)) == rows


def test_a_block_claims_no_more_rows_than_one_can_have() -> None:
    for rows in (0, -1, 1 << 40, 1 << 70):
        head = {"keys": [], "split": None, "rows": rows, "columns": [["range", 16]] * 3 + [["constant", 8]]}
        with pytest.raises(DecodeError, match="rows"):
            Block.decode(put_together(head, bytes(56)))


def test_no_column_is_inflated_beyond_its_rows() -> None:
    encoding, data = columns.pack_floats(array("d", [0.1, *[0.0] * 1_000_000]))
    for unpack in (columns.unpack, columns.unpack_numpy):
        with pytest.raises(DecodeError, match="bytes of its rows"):
            unpack(encoding, data, 10)


@given(spoiled(TALLY) | JSON)
def test_a_spoiled_tally_is_taken_or_refused(item: Any) -> None:
    try:
        tally = Tally.decode(item)
    except DecodeError:
        return
    assert Tally.decode(tally.encode()).encode() == tally.encode()


def test_a_metric_with_half_a_character_costs_no_other(store: Store) -> None:
    with store.start_run("odd") as run:
        run.log_metrics({"a\udc80": 1.0, "b": 2.0}, step=3)
    metrics = store.run("odd").metrics
    assert {key: series.values.tolist() for key, series in metrics.items()} == {"a\\udc80": [1.0], "b": [2.0]}
