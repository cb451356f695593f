"""Whether a file was written again, as integrations ask."""

import os
from pathlib import Path

from runlore import guest


def test_a_file_of_the_same_time_is_another_state(tmp_path: Path) -> None:
    """The clock of many disks moves every 4 ms: what is written twice within that has one time."""
    path, draft = tmp_path / "snapshot", tmp_path / "draft"
    path.write_bytes(b"first")
    os.utime(path, ns=(1, 1))
    before = guest.file_state(path)
    draft.write_bytes(b"other")
    os.utime(draft, ns=(1, 1))
    draft.replace(path)
    assert path.stat().st_mtime_ns == 1
    assert guest.file_state(path) != before


def test_a_file_that_only_gets_a_link_is_as_before(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"weights")
    before = guest.file_state(path)
    (tmp_path / "kept").hardlink_to(path)
    assert guest.file_state(path) == before


def test_where_there_is_no_file_there_is_no_state(tmp_path: Path) -> None:
    assert guest.file_state(tmp_path / "none") is None
    assert guest.file_state("odd\0name") is None
