"""Every fault of a disk in every training: the result is the same, and the record is whole or says what it lacks.

`shim.c` lets the calls fail, below the store only; `faulty.py` trains in a process of its own.
"""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.stress.conftest import Begin
from tests.stress.trainings import TRAININGS

MIDST, BEFORE = 1, -1  # the epoch from which on calls fail
Fault = tuple[str, int]
USUAL: list[Fault] = [
    ("ENOSPC write", MIDST),
    ("EIO write+pwrite", MIDST),
    ("EROFS open+write+pwrite", BEFORE),
    ("short write", MIDST),
    ("EINTR write+pwrite", MIDST),
    ("EACCES open", MIDST),
    ("EIO fsync+rename+remove", MIDST),
    ("ENOLCK flock", BEFORE),
]
ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EDQUOT", "ESTALE")
CALLS = ("write", "write+pwrite", "open", "rename", "fsync", "remove", "flock", "write+pwrite+open+rename+fsync+remove")
ALL: list[Fault] = [
    *product([f"{error} {calls}" for error, calls in product(ERRORS, CALLS)], (BEFORE, 0, MIDST, 2)),
    *product(["short write", "short write+pwrite", "EINTR write+pwrite", "ENOLCK flock"], (BEFORE, 0, MIDST, 2)),
]
NEVER_MET = ("flock", "fsync")  # calls that are over, or still to come, where a fault begins late


def attempts(begin: Begin, shim: str, training: str, faults: list[Fault], folder: Path) -> list[dict[str, Any]]:
    """Train without a fault and with each, and return all that was seen."""
    asked = json.dumps([("none", BEFORE), *faults])
    process = begin(training, "faulty.py", asked, str(folder), LD_PRELOAD=shim)
    return [json.loads(line) for line in process.succeed().splitlines() if line.startswith("{")]


def check(found: list[dict[str, Any]], faults: list[Fault]) -> None:
    whole, *faulty = found
    assert [(item["fault"], item["at"]) for item in faulty] == faults
    assert whole["same"]
    assert not whole["said"]
    for item in found:
        assert item["same"], item
        assert not item["logs"], item
        assert item["fault"] == "none" or item["failed"] or item["fault"].endswith(NEVER_MET), item
        complete = [run[:3] for run in item["runs"]] == [run[:3] for run in whole["runs"]]
        tells = item["said"] or any(lost or status != "finished" for status, _, _, lost in item["runs"])
        assert complete or tells, item
        for status, _, points, lost in item["runs"]:
            assert status in ("finished", "crashed"), item
            assert status == "crashed" or lost or points == whole["runs"][0][2], item


@pytest.mark.stress
@pytest.mark.parametrize("training", TRAININGS)
def test_a_fault_of_the_disk_changes_no_training(training: str, begin: Begin, shim: str, tmp_path: Path) -> None:
    check(attempts(begin, shim, training, USUAL, tmp_path / "stores"), USUAL)


@pytest.mark.stress
@pytest.mark.long
@pytest.mark.parametrize("training", TRAININGS)
def test_no_fault_of_the_disk_changes_a_training(training: str, begin: Begin, shim: str, tmp_path: Path) -> None:
    check(attempts(begin, shim, training, ALL, tmp_path / "stores"), ALL)


@pytest.mark.stress
def test_a_run_that_ended_well_says_so_where_only_its_head_can_be_written(
    begin: Begin, shim: str, tmp_path: Path
) -> None:
    """A full disk takes what lies in a file already: the end of a run has its room at the head of the log."""
    _, full = attempts(begin, shim, "plain", [("ENOSPC write", MIDST)], tmp_path / "stores")
    assert [(status, points, lost) for status, _, points, lost in full["runs"]] == [("finished", 1, 1)]
