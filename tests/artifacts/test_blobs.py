"""Kept contents: nothing is written outside the folder that it is restored to."""

from hashlib import sha256
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


@pytest.mark.parametrize("size", [40 << 20, (3 << 20) + 5])
def test_what_a_file_does_not_occupy_is_not_written(tmp_path: Path, size: int) -> None:
    """A file that was made for later, such as a memory map, once took its whole size, in the store and restored."""
    source = tmp_path / "map"
    with source.open("wb") as file:
        file.seek(size // 2)
        file.write(b"content")
        file.truncate(size)
    if source.stat().st_blocks * 512 == size:
        pytest.skip("this disk knows no holes")
    blobs = Blobs(tmp_path / "blobs")
    kept = blobs.put_file(source)
    blobs.restore([kept], tmp_path / "target")
    assert kept == Member("map", size, sha256(source.read_bytes()).hexdigest())
    for place in (blobs.path(kept.sha256), tmp_path / "target" / "map"):
        assert place.stat().st_blocks * 512 <= 2 << 20
        assert place.read_bytes() == source.read_bytes()
