"""Curves of many keys: what is read along with one, and how often."""

import dataclasses
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from runlore.log import columns
from runlore.log.long.merged import merge_tallies
from runlore.log.points import Points, Unpack
from runlore.log.reader import Content, read_sealed
from runlore.log.series import READ_FREELY, Metrics
from runlore.log.writer import LogWriter

KEYS = [f"layers.{number}.grad_norm" for number in range(300)]


@dataclasses.dataclass(slots=True)
class Counted(Content):
    """Counts how often its blocks are read, and the points that are handed out."""

    passes: int = 0
    handed: int = 0

    def points(self, wanted: Collection[str], unpack: Unpack = columns.unpack) -> Iterator[Points]:
        self.passes += 1
        for points in Content.points(self, wanted, unpack):
            self.handed += len(points.step)
            yield points


def written(folder: Path, fill: Callable[[LogWriter], Any]) -> tuple[Metrics, Counted]:
    """Write a log; return its metrics, and its content as it counts."""
    writer = LogWriter(folder, "run.0000abcd", {"type": "open"})
    fill(writer)
    writer.finish(None)
    content = read_sealed(writer.path.with_suffix(".run"), 0)
    counted = Counted(**{field.name: getattr(content, field.name) for field in dataclasses.fields(Content)})
    return Metrics(merge_tallies([counted]), lambda: [counted]), counted


def many_keys(writer: LogWriter) -> None:
    for step in range(10):
        writer.row({key: step + place / 7 for place, key in enumerate(KEYS)}, step)


def test_a_block_that_is_read_serves_all_its_keys(tmp_path: Path) -> None:
    """Each key once opened, parsed and sliced each block for itself: 2,000 keys took 20 s."""
    metrics, content = written(tmp_path, many_keys)
    for place, key in enumerate(KEYS):
        assert metrics[key].values.tolist() == [step + place / 7 for step in range(10)]
        assert metrics[key].steps.tolist() == list(range(10))
    assert content.passes == 2
    assert content.handed == 10 * len(KEYS)


def test_one_curve_does_not_wait_for_the_others(tmp_path: Path) -> None:
    metrics, content = written(tmp_path, many_keys)
    assert metrics[KEYS[7]].values[3] == 3 + 1
    assert content.handed == 10
    assert len(metrics[KEYS[7]].steps) == len(metrics[KEYS[7]].times) == len(metrics[KEYS[7]].epochs) == 10
    assert content.passes == 1


def test_no_long_curve_is_read_along_with_short_ones(tmp_path: Path) -> None:
    def fill(writer: LogWriter) -> None:
        for step in range(READ_FREELY + 1):
            writer.row({"loss": 1.0}, step)
        for step in range(3):
            writer.row({"a": 1.0, "b": 2.0, "c": 3.0}, step)

    metrics, content = written(tmp_path, fill)
    assert [len(metrics[key].values) for key in "abc"] == [3, 3, 3]
    assert content.handed == 9
    assert len(metrics["loss"].values) == READ_FREELY + 1


class Unspoken(str):
    """A key whose text nobody may ask for."""

    def __str__(self) -> str:
        raise AssertionError("similar keys were looked for")


def test_a_key_that_may_be_missing_is_asked_for_without_a_look_at_all_others(tmp_path: Path) -> None:
    """Every cell of `ls` that had no such metric was compared with all keys of its run: minutes among 20,000."""
    metrics, _ = written(tmp_path, many_keys)
    assert metrics.get(Unspoken("layers.0")) is None
    assert metrics.get(Unspoken("layers.0"), 1) == 1
    assert Unspoken("layers.0") not in metrics
    assert metrics.get(KEYS[0]) is metrics[KEYS[0]]
    assert KEYS[0] in metrics
