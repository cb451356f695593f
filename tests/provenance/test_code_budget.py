"""The code of a record, read within a budget."""

import os
from base64 import b85encode
from hashlib import sha1
from pathlib import Path
from zlib import compressobj

import pytest

from runlore import Store
from runlore.plugins.code import PATCH
from runlore.provenance import source
from runlore.provenance.source import GIT_MEMORY, LIMITED, CannotRebuild, Code, Rebuilt, code_of
from tests.git import git


@pytest.mark.parametrize("content", ["changed", "hollow"])
def test_code_whose_content_is_another_is_told_and_not_read(store: Store, tmp_path: Path, content: str) -> None:
    (tmp_path / "train.py").write_text("import runlore\n")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "train.py", name="source", kind="code")
    code = code_of(store.run("a"))
    assert (code.notes, code.of("source")) == ([], {"source": b"import runlore\n"})
    blob = store.folder.blobs / (sha256 := str(store.run("a").artifact("source").sha256))[:2] / sha256
    blob.chmod(0o600)
    blob.write_bytes(b"import another\n")
    os.truncate(blob, 15 if content == "changed" else 64 << 30)
    code = code_of(store.run("a"))
    assert code.of("source") == {}
    assert code.notes == ["the code of a is not fully known: 1 file of 'source': damaged, or larger than 64 MiB in all"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """One whose only file has very many equal lines."""
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init")
    (folder / "a.txt").write_text("a\n" * 1_000_000)
    git(folder, "add", ".")
    git(folder, "commit", "-m", "first")
    return folder


def patched(folder: Path, patch: bytes, place: Path) -> Rebuilt:
    """The state of a repository with a recorded patch."""
    place.mkdir()
    return Rebuilt(Code("a", git(folder, "rev-parse", "HEAD").strip(), str(folder), {PATCH: {PATCH: patch}}), place)


def binary_patch(size: int) -> bytes:
    """A patch that adds a file of so many zeros, which it has packed."""
    packed, hashed = compressobj(1), sha1(b"blob %d\0" % size)
    data = b""
    for _ in range(size >> 20):
        data += packed.compress(bytes(1 << 20))
        hashed.update(bytes(1 << 20))
    data += packed.flush()
    lines = [data[place : place + 52] for place in range(0, len(data), 52)]
    counts = [chr(len(line) + (64 if len(line) <= 26 else 70)) for line in lines]  # A…Z, a…z
    text = [f"{count}{b85encode(line, pad=True).decode()}" for count, line in zip(counts, lines, strict=True)]
    text = [line[: 1 + (len(data) + 3) // 4 * 5] for line, data in zip(text, lines, strict=True)]
    index = f"{'0' * 40}..{hashed.hexdigest()}"
    head = ["diff --git a/z b/z", "new file mode 100644", f"index {index}", "GIT binary patch", f"literal {size}"]
    return "\n".join([*head, *text, "", "literal 0", "HcmV?d00001", "", ""]).encode()


def test_a_patch_that_unpacks_ends_at_the_memory_that_git_may_take(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"ulimit -v {8 << 20} " in LIMITED[2]
    monkeypatch.setattr(source, "LIMITED", tuple(part.replace(str(GIT_MEMORY), str(150 << 10)) for part in LIMITED))
    with pytest.raises(CannotRebuild, match="git apply of 'a': fatal: "):
        patched(repository, binary_patch(256 << 20), tmp_path / "large")
    assert patched(repository, binary_patch(1 << 20), tmp_path / "small").tree()


def test_a_patch_that_fits_nowhere_ends_at_the_seconds_that_git_may_take(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of a million places of the file is compared line by line."""
    lines = 400_000
    hunk = f"@@ -300000,{lines + 1} +300000,{lines} @@\n" + " a\n" * (lines // 2) + "-b\n" + " a\n" * (lines // 2)
    patch = f"diff --git a/a.txt b/a.txt\n--- a/a.txt\n+++ b/a.txt\n{hunk}".encode()
    assert source.GIT_SECONDS == 120
    monkeypatch.setattr(source, "GIT_SECONDS", 0.5)
    with pytest.raises(CannotRebuild, match=r"git apply of 'a' took more than 0\.5 s"):
        patched(repository, patch, tmp_path / "place")
