"""Columns come back bit for bit, by both readers."""

import struct
from array import array

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore.log import columns

integers = st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50)
floats = st.lists(st.floats(width=64), min_size=1, max_size=50)


@given(integers)
def test_integers_survive_packing(values: list[int]) -> None:
    encoding, data = columns.pack_integers(array("q", values))
    assert columns.unpack(encoding, data, len(values)).tolist() == values
    assert columns.unpack_numpy(encoding, data, len(values)).tolist() == values


@given(floats)
def test_floats_survive_packing_bit_for_bit(values: list[float]) -> None:
    raw = array("d", values)
    encoding, data = columns.pack_floats(raw)
    assert columns.unpack(encoding, data, len(values)).tobytes() == raw.tobytes()
    assert columns.unpack_numpy(encoding, data, len(values)).tobytes() == raw.tobytes()


def test_steps_that_count_up_take_sixteen_bytes() -> None:
    encoding, data = columns.pack_integers(array("q", range(0, 100_000, 10)))
    assert (encoding, len(data)) == ("range", 16)


def test_floats_born_as_float32_are_kept_as_such() -> None:
    values = np.random.default_rng(0).random(1000, np.float32).astype(float)
    encoding, data = columns.pack_floats(array("d", values))
    assert encoding == "float32"
    assert len(data) < 4 * 1000


@pytest.mark.parametrize("bits", [0x7FF8000000000001, 0xFFF8000000000000, 0x7FF0000000000000, 0x8000000000000000])
def test_odd_bit_patterns_survive(bits: int) -> None:
    value = struct.unpack("<d", struct.pack("<Q", bits))[0]
    raw = array("d", [value, 1.0, value])
    encoding, data = columns.pack_floats(raw)
    assert columns.unpack(encoding, data, 3).tobytes() == raw.tobytes()
