"""Superseding: a later point replaces an earlier one, a resumed run cuts what it does again."""

import json
import math
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runlore import RunloreWarning, Store
from runlore.log import frames
from runlore.log.long.merged import merge_tallies
from runlore.log.reader import Content, read_log, read_sealed
from runlore.log.superseding import exact_tallies, read_series
from runlore.log.writer import AddingWriter, LogWriter
from tests.process import Process

Python = Callable[..., Process]


def test_a_later_value_supersedes_in_series_and_tally(store: Store) -> None:
    with store.start_run("twice") as run:
        run.log_metrics({"loss": 100.0}, step=1)
        run.log_metrics({"loss": 2.0}, step=2)
        run.log_metrics({"loss": 5.0, "acc": 0.1}, step=1)
    loss = store.run("twice").metrics["loss"]
    assert (loss.steps.tolist(), loss.values.tolist()) == ([1, 2], [5.0, 2.0])
    assert (loss.count, loss.min, loss.max, loss.last, loss.last_step) == (2, 2.0, 5.0, 2.0, 2)


def test_a_resumed_run_goes_on_and_supersedes(store: Store, python: Python) -> None:
    process = python("""
        import runlore, time
        run = runlore.start_run("resumed", params={"lr": 1})
        for step in range(100):
            run.log_metrics({"loss": 1.0}, step=step)
        print("ready", flush=True)
        time.sleep(60)
    """)
    process.line()
    process.kill()
    first = store.run("resumed")
    with store.start_run(resume=first.id, at_step=49) as run:
        assert run.id == first.id
        run.log_metrics({"loss": 2.0})
        assert store.run("resumed").status == "running"
        for step in range(51, 80):
            run.log_metrics({"loss": 2.0}, step=step)
    done = store.run("resumed")
    assert done.status == "finished"
    assert done.params == {"lr": 1}
    assert done.metrics["loss"].steps.tolist() == list(range(80))
    assert done.metrics["loss"].values.tolist() == [1.0] * 50 + [2.0] * 30
    assert (done.metrics["loss"].count, done.metrics["loss"].last_step) == (80, 79)
    assert len(store.runs()) == 1


def test_a_repeated_step_in_many_series_is_summed_up_right(store: Store) -> None:
    """Series with repeated steps are summed up again, all of them together."""
    with store.start_run("wide") as run:
        for step in [*range(500), 3]:
            run.log_metrics({f"m{number}": float(step) for number in range(40)}, step=step)
    store.reindex()
    assert {series.count for series in store.run("wide").metrics.values()} == {500}


# The rule, in both of its forms

KEYS = ("loss", "acc", "lr")
VALUES = st.floats(width=32) | st.just(math.nan)
STEPS = st.integers(-2, 9)


@dataclass
class Segment:
    """One file of a run: its cut, the keys that it spares, its rows, and whether it is sealed."""

    cut: int | None
    spared: list[str] | None
    rows: list[tuple[dict[str, float], int]]
    sealed: bool


ROWS = st.tuples(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1), STEPS)
SEGMENTS = st.builds(
    Segment,
    cut=st.none() | STEPS | st.sampled_from([2**63 - 1, -(2**63)]),
    spared=st.none() | st.lists(st.sampled_from((*KEYS, "other")), unique=True),
    rows=st.lists(ROWS, max_size=8),
    sealed=st.booleans(),
)


def written(folder: Path, segments: list[Segment]) -> list[Content]:
    """The files of a run, read back; the ordinals don't follow the order of writing."""
    contents = []
    for ordinal in reversed(range(len(segments))):
        segment = segments[ordinal]
        opening = {"type": "open", "mode": "resume" if segment.cut is not None else "attach", "cut": segment.cut}
        writer = LogWriter(folder, f"run.{ordinal:04d}aaaa", {**opening, "spared": segment.spared})
        for metrics, step in segment.rows:
            writer.row(metrics, step)
        if segment.sealed:
            writer.finish({"type": "end", "status": "finished"})
            contents.append(read_sealed(writer.path.with_suffix(".run"), ordinal))
        else:
            contents.append(read_log(writer.path, ordinal))
            writer.abandon()
    return contents[::-1]


@settings(deadline=None)
@given(files=st.lists(st.tuples(st.lists(st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1)), st.booleans())))
def test_points_that_were_counted_all_count(
    files: list[tuple[list[dict[str, float]], bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("counted")
    contents = []
    for ordinal, (rows, sealed) in enumerate(files):
        writer = AddingWriter(folder, f"run.{ordinal:04d}aaaa", {"type": "open", "mode": "attach"})
        for metrics in rows:
            writer.row(metrics)
        if sealed:
            writer.finish({"type": "end", "status": "finished"})
            contents.append(read_sealed(writer.path.with_suffix(".run"), ordinal))
        else:
            contents.append(read_log(writer.path, ordinal))
            writer.abandon()
    tallies = merge_tallies(contents)
    curves = read_series(contents, KEYS)
    for key in KEYS:
        values = [metrics[key] for rows, _ in files for metrics in rows if key in metrics]
        assert curves[key][0].tolist() == list(range(len(values)))
        assert repr(curves[key][1].tolist()) == repr(values)
        assert (tallies[key].count if key in tallies else 0) == len(values)


@pytest.mark.parametrize("step", [0.5, math.nan, "first"])
@pytest.mark.filterwarnings("ignore:step .* is not a whole number")
def test_points_with_steps_that_are_no_steps_all_count(tmp_path: Path, step: Any) -> None:
    """They are counted by their writer, and once replaced those of others."""
    contents = []
    for ordinal in range(2):
        writer = AddingWriter(tmp_path, f"run.{ordinal:04d}aaaa", {"type": "open", "mode": "attach"})
        for value in (1.0, 2.0):
            writer.row({"loss": value + 10 * ordinal}, step)
        writer.finish({"type": "end", "status": "finished"})
        contents.append(read_sealed(writer.path.with_suffix(".run"), ordinal))
    assert read_series(contents, ["loss"])["loss"][1].tolist() == [1.0, 2.0, 11.0, 12.0]


def expected(segments: list[Segment], key: str) -> dict[int, float]:
    points: dict[int, float] = {}
    for segment in segments:
        if segment.cut is not None and key not in (segment.spared or ()):
            points = {step: value for step, value in points.items() if step <= segment.cut}
        points |= {step: metrics[key] for metrics, step in segment.rows if key in metrics}
    return dict(sorted(points.items()))


@settings(deadline=None)
@given(segments=st.lists(SEGMENTS, min_size=1, max_size=4))
def test_tallies_and_series_agree_on_what_counts(
    segments: list[Segment], tmp_path_factory: pytest.TempPathFactory
) -> None:
    contents = written(tmp_path_factory.mktemp("segments"), segments)
    tallies = merge_tallies(contents)
    curves = read_series(contents, KEYS)
    for key in KEYS:
        points = expected(segments, key)
        steps, values, times, epochs = curves[key]
        assert steps.tolist() == list(points)
        assert repr(values.tolist()) == repr(list(points.values()))
        assert np.isnan(epochs).all()
        if not points:
            assert key not in tallies
            continue
        for tally in (tallies[key], exact_tallies(contents, {key})[key]):
            numbers = [value for value in points.values() if not math.isnan(value)]
            assert (tally.count, tally.last_step) == (len(points), max(points))
            assert repr(tally.last) == repr(points[max(points)])
            assert (tally.min, tally.max) == (min(numbers, default=None), max(numbers, default=None))
            assert (tally.first_time, tally.last_time) == (min(times), max(times))


# How much of a run's files is read


def resumed(store: Store) -> str:
    """A run of two segments and several keys, whose files are sealed and known to the index."""
    run = store.start_run("first")
    for begin, factor in ((0, 0.1), (1_000, 0.2)):
        for step in range(begin, 2_000):
            run.log_metrics({"loss": factor * step, "acc": 3 * factor * step}, step)
        run.log_metrics({"lr": 0.1, "norm": factor})
        run.finish("failed")
        if begin == 0:
            run = store.start_run(resume=run.id, at_step=999)
    store.runs()
    return run.id


def spoil_column(path: Path, key: str) -> None:
    """Make a key's columns ones that can't be unpacked, in frames that are good."""
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        reader = frames.FrameReader(file, frames.SIGNATURE_SIZE)
        for kind, payload in reader:
            if kind == frames.COLUMNS:
                (size,) = struct.unpack_from("<I", payload)
                head = json.loads(payload[4 : 4 + size])
                for place, name in enumerate(head["keys"], 4):
                    if name == key:
                        begin = 4 + size + sum(length for _, length in head["columns"][:place])
                        length = head["columns"][place][1]
                        payload = payload[:begin] + bytes(length) + payload[begin + length :]
                whole = frames.frame(kind, payload)
                data[reader.offset - len(whole) : reader.offset] = whole
    path.chmod(0o600)
    path.write_bytes(data)


def test_a_curve_of_a_resumed_run_reads_the_columns_of_its_key_only(store: Store) -> None:
    run_id = resumed(store)
    whole = store.run(run_id).metrics["loss"].values.tolist()
    for path in store.root.rglob("*.run"):
        spoil_column(path, "acc")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run = store.run(run_id)
        assert run.metrics["loss"].values.tolist() == whole
        assert [segment.status for segment in run.segments] == ["failed", "failed"]
        assert run.missing == []
        assert run.metrics["lr"].values.tolist() == [0.1, 0.1]  # it comes with the damaged one, which costs it nothing
    with pytest.warns(RunloreWarning, match="damaged blocks of points were left out of 'acc'"):
        assert len(run.metrics["acc"].values) == 0
