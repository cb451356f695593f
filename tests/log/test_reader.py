"""Reading logs and sealed files: damage, foreign content and newer formats cost only themselves."""

import json
import math
import struct
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import RunloreWarning, Store
from runlore.log import frames
from runlore.log.events import event_frame
from runlore.log.frames import DecodeError
from runlore.log.long.merged import merge_tallies
from runlore.log.reader import TRAILER, Content, read_log, read_sealed
from runlore.log.replay import Replay
from runlore.log.sealing import seal
from tests.log.strategies import JSON, spoiled
from tests.log.test_events import GOOD


def logs(store: Store) -> list[Path]:
    return sorted(store.root.rglob("*.log"))


def sealed(store: Store) -> list[Path]:
    return sorted(store.root.rglob("*.run"))


def test_damage_costs_one_row_and_is_reported_once(store: Store) -> None:
    run = store.start_run("flipped")
    run.companions.await_captures()  # so that it is a row that stands in the middle
    for step in range(1000):
        run.log_metrics({"loss": float(step)}, step=step)
    (log,) = logs(store)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(data)
    with pytest.warns(RunloreWarning, match="bytes of its files are damaged") as caught:
        assert len(store.run("flipped").metrics["loss"].steps) == 999
        store.runs()
    assert len(caught) == 1
    assert "damaged" in store.run("flipped").missing[0]["why"]
    run.finish()
    assert logs(store), "a damaged log is never thrown away"


def test_a_run_file_of_a_newer_format_is_named_and_the_rest_read(store: Store) -> None:
    store.start_run("old").finish()
    store.start_run("new").finish()
    path = next(path for path in sealed(store) if path.name.startswith(store.run("new").id))
    data = bytearray(path.read_bytes())
    data[6] = 9
    path.write_bytes(data)
    with pytest.warns(RunloreWarning, match=r"format 9.*upgrade"):
        store.reindex()
        assert len(store.runs("name == 'old'")) == 1


@pytest.mark.parametrize(
    "payload",
    [b"[]", b"{}", b"no json", b'{"time":1}', b'{"type":"params","time":1}', b'{"type":"end","time":1}',
     b'{"type":"tags","time":1,"values":3}', b'{"type":"artifact","time":1,"size":1e400,"name":[1]}',
     b'{"type":"environment","time":1,"sections":{"x":{}}}'],
)  # fmt: skip
def test_foreign_content_in_one_run_costs_no_other(store: Store, payload: bytes) -> None:
    """A good frame whose content was not ours once made the whole store unreadable."""
    store.start_run("good").finish()
    run = store.start_run("bad")
    (log,) = store.root.rglob("*.log")
    with log.open("ab") as file:
        file.write(frames.frame(frames.EVENT, payload))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RunloreWarning)
        assert "good" in [found.name for found in store.runs()]
        assert store.run("bad").status == "running"
        run.finish()
        store.reindex()
        assert "good" in [found.name for found in store.runs()]


# Frames that are good, with any content


def row(number: int, *values: float, step: int = 0) -> bytes:
    return struct.pack(f"<Iqqd{len(values)}d", number, 5, step, math.nan, *values)


KEY_SETS = [{"id": 0, "keys": ["loss", "acc"], "split": None}, {"id": 7, "keys": ["val/loss"], "split": "val"}]
FRAMES = st.one_of(
    st.tuples(st.just(frames.EVENT), st.sampled_from(GOOD).flatmap(spoiled).map(frames.dump_json)),
    st.tuples(st.just(frames.KEYS), st.sampled_from(KEY_SETS).flatmap(spoiled).map(frames.dump_json)),
    st.tuples(st.just(frames.KEYS), st.sampled_from(KEY_SETS).map(frames.dump_json)),
    st.tuples(st.just(frames.ROW), st.builds(row, st.integers(0, 1), st.floats(), st.floats(), step=st.integers(0, 5))),
    st.tuples(st.just(frames.ROW), st.builds(row, st.just(7), st.floats(), step=st.integers(0, 5))),
    st.tuples(st.sampled_from([frames.ROW, frames.COLUMNS, frames.FOOTER]), st.binary(max_size=40)),
)


def write_log(path: Path, items: list[tuple[int, bytes]], slot: bytes = b"") -> Path:
    head = frames.signature(frames.LOG_SIGNATURE) + slot
    path.write_bytes(head.ljust(frames.SLOT_END, b"\0") + b"".join(frames.frame(*item) for item in items))
    return path


def told(content: Content) -> str:
    """Events, tallies as far as they hold, and points."""
    tallies = {key: item.encode() if item.exact else None for key, item in sorted(content.tallies.items())}
    return repr((content.events, tallies, {key: sorted(map(repr, content.points({key}))) for key in tallies}))


@settings(deadline=None)
@given(items=st.lists(FRAMES, max_size=12), slot=st.sampled_from(GOOD).flatmap(spoiled).map(event_frame))
def test_frames_of_any_content_are_read_or_counted_as_damage(
    items: list[tuple[int, bytes]], slot: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = write_log(tmp_path_factory.mktemp("any") / "a.log", items, slot)
    content = read_log(log, 0)
    merge_tallies([content])
    assert sum(tally.count for tally in content.tallies.values()) == sum(
        len(points.step) for points in content.points(content.tallies)
    )
    before = told(content)
    path = seal(log)
    if path is None:
        assert content.damage or content.orphans
        assert log.exists()
    else:
        assert not content.damage
        assert told(read_sealed(path, 0)) == before


@settings(deadline=None)
@given(items=st.lists(FRAMES, max_size=12), data=st.data())
def test_a_log_that_is_read_in_two_looks_tells_the_same(
    items: list[tuple[int, bytes]], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("two")
    first = write_log(folder / "a.log", items[: data.draw(st.integers(0, len(items)))])
    replay = read_log(first, 0).replay
    assert replay is not None
    orphans = replay.orphans  # a definition that comes later finds them only in the same look
    whole = write_log(folder / "a.log", items)
    again = read_log(whole, 0, Replay.decode(replay.encode()))
    if not orphans:
        assert told(again) == told(read_log(whole, 0))


@given(text=st.text(max_size=20) | JSON.map(json.dumps) | spoiled(json.loads(Replay().encode())).map(json.dumps))
def test_any_text_is_a_replay_or_a_decode_error(text: str) -> None:
    try:
        replay = Replay.decode(text)
    except DecodeError:
        return
    assert Replay.decode(replay.encode()).encode() == replay.encode()


@settings(deadline=None)
@given(data=st.data())
def test_a_sealed_file_with_any_footer_is_read(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("footer")
    items = [(frames.EVENT, frames.dump_json(GOOD[0])), (frames.KEYS, frames.dump_json(KEY_SETS[0]))]
    items += [(frames.ROW, row(0, float(step), 0.5, step=step)) for step in range(5)]
    path = seal(write_log(folder / "a.log", items))
    assert path is not None
    whole = path.read_bytes()
    start, footer_at, mark = TRAILER.unpack(whole[-TRAILER.size :])
    footer = json.loads(whole[footer_at + frames.HEAD.size : -TRAILER.size])
    payload = data.draw(spoiled(footer).map(frames.dump_json) | st.binary(max_size=20))
    places = (data.draw(st.integers(0, len(whole)) | st.just(start)), data.draw(st.just(footer_at) | st.just(0)))
    path.write_bytes(
        whole[:footer_at] + frames.frame(frames.FOOTER, payload) + TRAILER.pack(*places, data.draw(st.just(mark)))
    )
    content = read_sealed(path, 0)
    merge_tallies([content])
    if content.chunks is None:
        assert content.damage
        assert content.tallies["loss"].count == 5
        assert [list(points.value) for points in content.points({"loss"})] == [[0.0, 1.0, 2.0, 3.0, 4.0]]


def test_a_block_that_is_damaged_costs_its_points_and_is_told(store: Store) -> None:
    with store.start_run("holed") as run:
        for step in range(60_000):
            run.log_metrics({"loss": step * 0.1}, step)
        run.log_metrics({"acc": 0.5})
    (path,) = sealed(store)
    path.chmod(0o600)
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF  # in the columns of the first block
    path.write_bytes(data)
    found = store.run("holed")
    assert found.missing == []
    with pytest.warns(RunloreWarning, match="1 damaged blocks of points were left out of 'loss'"):
        assert 0 < len(found.metrics["loss"].values) < 60_000
    assert found.metrics["acc"].values.tolist() == [0.5]
    assert found.missing == [{"what": "1 blocks of points", "why": "damaged, or more than a reader takes"}]


def test_a_small_file_is_opened_once_for_all_of_its_series_and_a_large_one_is_not_held(store: Store) -> None:
    with store.start_run("small") as run:
        for step in range(20):
            run.log_metrics({"loss": step * 0.1, "acc": 0.5}, step)
    with store.start_run("large") as run:
        for step in range(5_000):
            run.log_metrics({"loss": math.sin(step), "acc": 0.5}, step)
    small, large = store.run("small"), store.run("large")
    for found in (small, large):
        assert found.missing == []
    for path in sealed(store):
        path.unlink()
    assert small.metrics["loss"].values[-1] == 19 * 0.1
    assert small.metrics["acc"].values.tolist() == [0.5] * 20
    with pytest.raises(FileNotFoundError):
        len(large.metrics["loss"])
