"""A long log that grows: a look costs what has come since, a zoom costs the zoom, and both tell what is there."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import RunloreWarning, Store
from runlore._process import process
from runlore.analysis.curves import Curve, curve_of
from runlore.log.long.growth import AXES, LEAST_BYTES, MAX_LOGS, MAX_SPANS, PIECE_BYTES, Growths, Piece
from runlore.log.long.outline import MAX_POINTS, Outline
from runlore.log.points import Block
from runlore.log.reader import read_log
from runlore.recording.run import Run
from tests.forged import ForgedStore

ROWS = 60_000  # of 56 bytes: three pieces
ROW_BYTES = 56


def bytes_read() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


def counted(question: Callable[[], Curve]) -> tuple[Curve, int]:
    """An answer, and the bytes that were read for it."""
    before = bytes_read()
    return question(), bytes_read() - before


def written(run: Run, steps: range) -> None:
    for step in steps:
        run.log_metrics({"loss": math.sin(step / 500), "acc": step * 1e-6}, step=step, epoch=step / 1000)


@pytest.fixture
def long_run(store: Store) -> Iterator[Run]:
    run = store.start_run("long")
    run.companions.await_captures()
    written(run, range(ROWS))
    yield run
    run.finish()


@pytest.fixture
def log(long_run: Run) -> Path:
    assert long_run.run_log.writer is not None
    return long_run.run_log.writer.path


def test_a_look_costs_what_has_come_and_a_zoom_the_zoom(store: Store, long_run: Run) -> None:
    whole, first = counted(lambda: curve_of(store.run("long"), "loss"))
    assert whole.points == ROWS
    assert first > ROWS * ROW_BYTES
    _, idle = counted(lambda: curve_of(store.run("long"), "loss"))
    _, beside = counted(lambda: curve_of(store.run("long"), "acc"))  # logged with it: known, too
    assert max(idle, beside) < PIECE_BYTES / 2
    written(long_run, range(ROWS, ROWS + 1000))
    grown, more = counted(lambda: curve_of(store.run("long"), "loss"))
    assert (grown.points, grown.x[-1]) == (ROWS + 1000, ROWS + 999)
    assert more < idle + 4 * 1000 * ROW_BYTES  # read by the index, and by the curve
    for axis, begin, end in (("step", 1000, 1300), ("epoch", 1, 1.3)):
        zoom, cost = counted(lambda axis=axis, begin=begin, end=end: curve_of(  # type: ignore[misc]
            store.run("long"), "loss", axis, begin=begin, end=end))  # fmt: skip
        assert zoom.points == 303
        assert zoom.y[1] == math.sin(1000 / 500)
        assert cost < idle + 2.5 * PIECE_BYTES


@pytest.mark.parametrize("axis", ["step", "epoch", "time", "relative"])
def test_curves_are_the_same_when_the_log_is_sealed(store: Store, long_run: Run, axis: str) -> None:
    growing = curve_of(store.run("long"), "loss", axis)
    assert growing.x[0] < growing.x[-1]
    middle = {"begin": growing.x[len(growing.x) // 2], "end": growing.x[len(growing.x) // 2 + 3]}
    zoom = curve_of(store.run("long"), "loss", axis, **middle)
    long_run.finish()
    sealed = curve_of(store.run("long"), "loss", axis)
    assert (growing.points, growing.x[0], growing.x[-1]) == (sealed.points, sealed.x[0], sealed.x[-1])
    assert (growing.y.min(), growing.y.max()) == (sealed.y.min(), sealed.y.max())
    if axis in ("step", "epoch"):  # a clock stands still now and then, where no outline follows
        assert np.abs(np.interp(sealed.x, growing.x, growing.y) - sealed.y).max() < 0.05
    exact = curve_of(store.run("long"), "loss", axis, **middle)
    assert (zoom.x.tolist(), zoom.y.tolist(), zoom.points) == (exact.x.tolist(), exact.y.tolist(), exact.points)


def test_a_zoom_of_a_sealed_series_costs_the_zoom(store: Store, long_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runlore.log.points.BLOCK_BYTES", 1 << 16)
    long_run.finish()
    whole, first = counted(lambda: curve_of(store.run("long"), "loss"))
    assert (whole.points, whole.x[-1]) == (ROWS, ROWS - 1)
    assert whole.y.max() == np.sin(np.arange(ROWS) / 500).max()
    _, again = counted(lambda: curve_of(store.run("long"), "loss"))
    for axis, begin, end in (("step", 1000, 1300), ("epoch", 1, 1.3), ("step", ROWS - 2, ROWS + 9)):
        zoom, cost = counted(lambda axis=axis, begin=begin, end=end: curve_of(  # type: ignore[misc]
            store.run("long"), "loss", axis, begin=begin, end=end))  # fmt: skip
        steps = np.arange(ROWS)[int(begin * (1000 if axis == "epoch" else 1)) - 1 :][: zoom.points]
        assert zoom.points == (303 if end < ROWS else 3)
        assert zoom.y.tolist() == [math.sin(step / 500) for step in steps]
        assert max(cost, again) < first / 2


def test_points_that_supersede_others_are_left_to_the_rule(store: Store, long_run: Run) -> None:
    assert curve_of(store.run("long"), "loss").points == ROWS
    long_run.log_metrics({"loss": 77.0}, step=3)
    curve = curve_of(store.run("long"), "loss")
    assert (curve.points, curve.y.max()) == (ROWS, 77.0)


def test_a_damaged_log_is_read_as_a_whole(store: Store, log: Path) -> None:
    assert curve_of(store.run("long"), "loss").points == ROWS
    place = log.stat().st_size // 2
    with log.open("r+b") as file:
        file.seek(place)
        file.write(b"\xff" * 8)
    process.part(Growths).forget()
    with pytest.warns(RunloreWarning, match="damaged"):
        store.reindex()
    assert curve_of(store.run("long"), "loss").points == ROWS - 1


def test_a_log_with_much_besides_points_is_read_once_at_each_look(tmp_path: Path) -> None:
    notes = [{"type": "note", "text": str(number) + "x" * 50_000} for number in range(500)]
    ForgedStore(tmp_path / "store").run([*notes, {"type": "note", "text": "last"}])
    (path,) = tmp_path.rglob("*.log")
    for _ in range(2):
        before = bytes_read()
        content = read_log(path, 0)
        assert bytes_read() - before < 1.1 * path.stat().st_size
        assert [event.get("text") for event in content.events[1:-1]] == [*(note["text"] for note in notes), "last"]
    assert content.end is not None and not content.damage


def test_a_log_that_was_cut_or_replaced_is_read_anew(store: Store, long_run: Run, log: Path) -> None:
    assert curve_of(store.run("long"), "loss").points == ROWS
    data = log.read_bytes()
    log.unlink()
    log.write_bytes(data[: LEAST_BYTES * 2])
    store.reindex()
    assert curve_of(store.run("long"), "loss").points == store.run("long").metrics["loss"].count < ROWS


def test_logs_that_are_not_looked_at_any_more_are_forgotten(tmp_path: Path) -> None:
    known = process.part(Growths)
    known.forget()
    for number in range(MAX_LOGS + 5):
        path = tmp_path / f"{number}.log"
        path.write_bytes(b"")
        with path.open("rb") as file:
            known.of(path, file)
    assert len(known) == MAX_LOGS
    known.forget()


VALUES = st.lists(st.floats(-10, 10) | st.just(math.nan), min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 3000))
def test_an_outline_keeps_peaks_ends_and_gaps(parts: list[list[float]], repeated: int) -> None:
    outline = Outline()
    values: list[float] = []
    for part in parts:
        column = np.array(part * repeated)
        steps = np.arange(len(values), len(values) + len(column))
        outline.add(steps, steps, column, column)
        values += part * repeated
    found = outline.stretch()
    known = np.array(values)
    assert len(found.value) <= MAX_POINTS
    assert (outline.count, found.number[0], found.number[-1]) == (len(values), 0, len(values) - 1)
    assert np.array_equal(known[found.number.astype(int)], found.value, equal_nan=True)
    assert found.whole == (len(found.value) == len(values))
    assert np.isnan(found.value).any() == np.isnan(known).any()
    if not np.isnan(known).all():
        assert (np.nanmin(found.value), np.nanmax(found.value)) == (np.nanmin(known), np.nanmax(known))
    assert np.diff(found.number).max(initial=1) <= 2 * outline.width


def test_a_resumed_run_is_followed_behind_what_stands(store: Store) -> None:
    first = store.start_run("long")
    written(first, range(ROWS))
    first.finish("failed")
    run = store.start_run(resume=first.id, at_step=39_999)
    written(run, range(40_000, 40_000 + ROWS))
    whole = curve_of(store.run("long"), "loss")
    assert (whole.points, whole.x[0], whole.x[-1]) == (40_000 + ROWS, 0, 39_999 + ROWS)
    _, idle = counted(lambda: curve_of(store.run("long"), "loss"))
    assert idle < PIECE_BYTES / 2
    written(run, range(40_000 + ROWS, 41_000 + ROWS))
    grown, more = counted(lambda: curve_of(store.run("long"), "loss"))
    assert (grown.points, grown.x[-1]) == (41_000 + ROWS, 40_999 + ROWS)
    assert more < idle + 4 * 1000 * ROW_BYTES
    zooms = {
        begin: curve_of(store.run("long"), "loss", begin=begin, end=begin + 500) for begin in (100, 39_800, 90_000)
    }
    run.log_metrics({"acc": 7.0}, step=12)  # replaces a point of the first segment
    assert curve_of(store.run("long"), "acc").y.max() == 7
    run.finish()
    for begin, zoom in zooms.items():
        exact = curve_of(store.run("long"), "loss", begin=begin, end=begin + 500)
        assert (zoom.x.tolist(), zoom.y.tolist()) == (exact.x.tolist(), exact.y.tolist())


def test_a_zoom_where_only_others_were_logged_is_drawn_as_the_rest(store: Store) -> None:
    run = store.start_run("two")
    try:
        for step in range(20_000):
            run.log_metrics({"loss": step % 7}, step=step)
        for step in range(10**6, 10**6 + 200):
            for number in range(MAX_SPANS + 8):  # more key sets than a piece tells apart
                run.log_metrics({f"other {number}": 1.0}, step=step)
        for begin, end in ((0, 10**7), (10**6 + 100, 10**6 + 150), (10**8, 10**9)):
            zoom = curve_of(store.run("two"), "loss", begin=begin, end=end)
            assert zoom.x[-1] == 19_999
    finally:
        run.finish()


def test_a_piece_lies_where_any_of_its_rows_has_an_epoch() -> None:
    piece = Piece(0, 0)
    places, zeros = np.arange(2), np.zeros(2)
    piece.widen(Block(("loss", "acc"), None, places, places, places, np.full(2, math.nan), [zeros, zeros]))
    piece.widen(Block(("loss",), None, places, places, places, np.array([5.0, 7.0]), [zeros]))
    assert piece.span("loss", AXES.index("epoch")) == (5.0, 7.0)
