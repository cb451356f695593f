"""Kept contents: nothing is written outside the folder that it is restored to."""

from pathlib import Path

import pytest

from runlore import RunloreError
from runlore.artifacts.blobs import Blobs, Member
from runlore.artifacts.folders import safe_join
from runlore.errors import UnsafePath


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "..", "", "a\\..\\x", "C:/x", "C:x", "a\0b"])
def test_no_recorded_path_leads_outside(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath, match="would lead outside"):
        safe_join(tmp_path, path)


def test_no_link_leads_outside(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "link").symlink_to(tmp_path)
    blobs = Blobs(tmp_path / "blobs")
    sha256 = blobs.put_bytes(b"evil")
    with pytest.raises(RunloreError, match="through a link"):
        blobs.restore([Member("link/escaped", 4, sha256)], tmp_path / "target")
    assert not (tmp_path / "escaped").exists()
