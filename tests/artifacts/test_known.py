"""Large files cost one reading, and none where they have not changed; what is kept is never copied again."""

import errno
import hashlib
import mmap
import os
import threading
import time
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import pytest

from runlore import Store
from runlore.artifacts import blobs as blobs_module
from runlore.artifacts.blobs import Blobs
from runlore.artifacts.copying import copy_hashing, open_regular
from runlore.artifacts.known import MIN_BYTES

SIZE = 3 * MIN_BYTES + 17


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    """Contents in an empty folder."""
    return Blobs(tmp_path / "blobs")


def written(path: Path, data: bytes, age_s: float = 0.0) -> str:
    """Write a file, wait until it is so old; return its hash."""
    path.write_bytes(data)
    time.sleep(age_s)
    return hashlib.sha256(data).hexdigest()


def pieces_read(blobs: Blobs, path: Path) -> tuple[str, int]:
    """Keep a file; return its hash and the times that a piece of it was read."""
    pieces: list[None] = []
    return blobs.put_file(path, proceed=lambda: pieces.append(None)).sha256, len(pieces)


def drafts_of(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Return the list that the copies made from now on are put into."""
    made: list[object] = []

    def noted(file: object, draft: object, *more: object) -> object:
        made.append(draft)
        return copy_hashing(file, draft, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(blobs_module, "copy_hashing", noted)
    return made


def test_an_unchanged_file_is_not_read_again(blobs: Blobs, tmp_path: Path) -> None:
    sha256 = written(tmp_path / "w.bin", os.urandom(SIZE), age_s=0.15)
    assert pieces_read(blobs, tmp_path / "w.bin") == (sha256, 1)
    assert pieces_read(Blobs(blobs.root), tmp_path / "w.bin") == (sha256, 0), "also not by another process"


@pytest.mark.parametrize("change", ["content", "same times", "replaced", "grown"])
def test_a_changed_file_is_read(blobs: Blobs, tmp_path: Path, change: str) -> None:
    path = tmp_path / "w.bin"
    written(path, os.urandom(SIZE), age_s=0.15)
    pieces_read(blobs, path)
    before = path.stat()
    data = os.urandom(SIZE + (change == "grown"))
    if change == "replaced":
        (tmp_path / "new").write_bytes(data)
        os.utime(tmp_path / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        (tmp_path / "new").rename(path)
    else:
        path.write_bytes(data)
    if change == "same times":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pieces_read(blobs, path)[0] == hashlib.sha256(data).hexdigest()


def test_a_file_that_may_change_within_a_tick_is_not_trusted(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    for _ in range(20):
        sha256 = written(path, os.urandom(SIZE))
        assert pieces_read(blobs, path)[0] == sha256
        with path.open("r+b") as file:
            file.write(b"other")
        assert pieces_read(blobs, path)[0] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_that_is_written_by_memory_is_read(blobs: Blobs, tmp_path: Path) -> None:
    path = tmp_path / "w.bin"
    written(path, os.urandom(SIZE))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[5] ^= 1
        time.sleep(0.15)
        pieces_read(blobs, path)
        memory[5] ^= 1  # the page is dirty already: its file keeps its times
        assert pieces_read(blobs, path)[0] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_what_is_kept_is_hashed_and_not_copied(blobs: Blobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(SIZE)
    sha256 = written(tmp_path / "a.bin", data)
    pieces_read(blobs, tmp_path / "a.bin")
    copies = drafts_of(monkeypatch)
    written(tmp_path / "b.bin", data)
    assert pieces_read(blobs, tmp_path / "b.bin") == (sha256, 1)
    assert copies == []
    (tmp_path / "b.bin").write_bytes(data[:1000] + bytes(17) + data[1017:])  # looks alike, and is another
    assert pieces_read(blobs, tmp_path / "b.bin")[0] == hashlib.sha256((tmp_path / "b.bin").read_bytes()).hexdigest()


def test_what_is_known_and_gone_is_kept_again(blobs: Blobs, tmp_path: Path) -> None:
    sha256 = written(tmp_path / "w.bin", os.urandom(SIZE), age_s=0.15)
    pieces_read(blobs, tmp_path / "w.bin")
    blobs.path(sha256).unlink()
    assert pieces_read(blobs, tmp_path / "w.bin") == (sha256, 1)
    assert blobs.read(sha256) == (tmp_path / "w.bin").read_bytes()
    blobs.path(sha256).chmod(0o600)
    blobs.path(sha256).write_bytes(b"cut off")
    assert pieces_read(blobs, tmp_path / "w.bin")[0] == sha256
    assert blobs.read(sha256) == (tmp_path / "w.bin").read_bytes()


@pytest.mark.parametrize("damage", [b"", b"\0" * 5000, b"1 2 3\n", None])
def test_damaged_notes_cost_a_reading_only(blobs: Blobs, tmp_path: Path, damage: bytes | None) -> None:
    sha256 = written(tmp_path / "w.bin", os.urandom(SIZE), age_s=0.15)
    pieces_read(blobs, tmp_path / "w.bin")
    notes = blobs.root / ".known"
    notes.write_bytes(notes.read_bytes()[:-9] if damage is None else damage)
    assert pieces_read(blobs, tmp_path / "w.bin") == (sha256, 1)


def test_the_notes_stay_small(blobs: Blobs, tmp_path: Path) -> None:
    sha256 = written(tmp_path / "w.bin", os.urandom(SIZE), age_s=0.15)
    blobs.root.mkdir()
    (blobs.root / ".known").write_bytes((b"1 2 3 4 5 " + b"6" * 32 + b" " + b"7" * 64 + b"\n") * 9_900)
    pieces_read(blobs, tmp_path / "w.bin")
    assert (blobs.root / ".known").stat().st_size < 600_000
    assert pieces_read(blobs, tmp_path / "w.bin") == (sha256, 0)


def test_a_large_file_is_hashed_while_it_is_written(tmp_path: Path) -> None:
    data = os.urandom(9 << 20) + b"end"
    written(tmp_path / "w.bin", data)
    with open_regular(tmp_path / "w.bin") as file, FileIO(tmp_path / "copy", "x+") as copy:
        found = copy_hashing(file, copy)
    assert found == (len(data), hashlib.sha256(data).hexdigest())
    assert (tmp_path / "copy").read_bytes() == data


class GivenUp(Exception):
    """Raised between two pieces."""


def give_up() -> None:
    """End the work."""
    raise GivenUp


def no_room(descriptor: int, piece: memoryview) -> int:
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("size", [SIZE, 12 << 20])
@pytest.mark.parametrize(("proceed", "error"), [(give_up, GivenUp), (None, OSError)])
def test_work_that_ends_early_leaves_nothing(
    blobs: Blobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    proceed: Callable[[], None] | None,
    error: type[Exception],
) -> None:
    written(tmp_path / "w.bin", os.urandom(size))
    if proceed is None:
        monkeypatch.setattr(os, "write", no_room)
    with pytest.raises(error):
        blobs.put_file(tmp_path / "w.bin", proceed=proceed)
    assert list(blobs.root.rglob("*")) == []
    assert [thread.name for thread in threading.enumerate() if thread.name == "runlore-copy"] == []


def test_a_copy_needs_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    sha256 = written(tmp_path / "w.bin", os.urandom(9 << 20))
    with open_regular(tmp_path / "w.bin") as file, FileIO(tmp_path / "copy", "x+") as copy:
        assert copy_hashing(file, copy)[1] == sha256


def test_a_run_keeps_the_same_file_again_for_nothing(store: Store, tmp_path: Path) -> None:
    sha256 = written(tmp_path / "w.bin", os.urandom(SIZE), age_s=0.15)
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "w.bin", name="first")
        run.log_artifact(tmp_path / "w.bin", name="second")
    found = {item.name: item for item in store.run("a").artifacts}
    assert (found["first"].sha256, found["second"].sha256, found["second"].stored) == (sha256, sha256, True)
