"""Frames: what is whole is read, what is not is passed over and noted."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore.errors import FormatError
from runlore.log import frames

payloads = st.lists(st.binary(max_size=200), max_size=20)


def read(data: bytes) -> tuple[list[bytes], frames.FrameReader]:
    reader = frames.FrameReader(io.BytesIO(data), 0)
    return [payload for _, payload in reader], reader


def written(items: list[bytes]) -> bytes:
    return b"".join(frames.frame(frames.EVENT, item) for item in items)


@given(payloads)
def test_frames_come_back_in_order(items: list[bytes]) -> None:
    found, reader = read(written(items))
    assert found == items
    assert (reader.damage, reader.tail) == ([], 0)


@given(payloads, st.data())
def test_a_cut_costs_only_the_last_frame(items: list[bytes], data: st.DataObject) -> None:
    whole = written(items)
    cut = data.draw(st.integers(0, len(whole)))
    found, reader = read(whole[:cut])
    assert found == items[: len(found)]
    assert reader.offset + reader.tail == cut
    assert reader.damage == []


@given(st.lists(st.binary(min_size=1, max_size=60), min_size=3, max_size=12), st.data())
def test_a_flipped_bit_costs_one_frame(items: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(written(items))
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    found, _ = read(bytes(whole))
    assert len(found) == len(items) - 1
    assert all(item in items for item in found)


def test_a_huge_length_is_not_believed() -> None:
    good = frames.frame(frames.EVENT, b"good")
    evil = frames.HEAD.pack(frames.MARK_OF_KIND[frames.EVENT], 0xFFFF_FFF0, 0)
    found, reader = read(good + evil + good)
    assert found == [b"good", b"good"]
    assert [item.length for item in reader.damage] == [len(evil)]


def test_a_magic_across_two_pieces_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    good = frames.frame(frames.EVENT, b"x" * 40)
    for piece in range(13, 40):
        monkeypatch.setattr(frames, "READ_BYTES", piece)
        found, _ = read(good + b"rubbish" + good)
        assert len(found) == 2, piece


def test_a_newer_format_names_the_way_out() -> None:
    head = frames.LOG_SIGNATURE + b"\x09\x00"
    with pytest.raises(FormatError, match=r"format 9.*pip install -U runlore"):
        frames.check_signature(head, frames.LOG_SIGNATURE, "a.log")


@pytest.mark.parametrize("unit", [b"\xa5RL", frames.HEAD.pack(frames.MARK_OF_KIND[frames.EVENT], 0, 1)])
def test_what_looks_like_many_short_frames_is_given_up_soon_and_counts_as_damage(
    unit: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FREE_CHECKS", 1 << 20)
    data = unit * 200_000 + written([b"behind"])
    found, reader = read(data)
    assert found == []
    assert [(item.offset, item.length) for item in reader.damage] == [(0, len(data))]
    assert (reader.offset, reader.tail) == (len(data), 0), "a later reader goes on behind it"
    assert read(unit * 200 + written([b"behind"]))[0] == [b"behind"]
