"""Logging artifacts: what can't be kept is refused or named, and never waited for."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from runlore import RunloreWarning, Store
from runlore.artifacts.blobs import Blobs, Member, folder_sha256
from runlore.artifacts.events import hashed
from runlore.provenance.hashing import complete


def test_a_file_that_is_not_there_says_so(store: Store) -> None:
    with store.start_run() as run, pytest.raises(FileNotFoundError, match="no file or folder 'nope.pt'"):
        run.log_artifact("nope.pt")


def special_in(folder: Path) -> None:
    """Put a pipe, a socket, a device (if root) and a link to a pipe below a folder, beside a file."""
    (folder / "deep").mkdir(parents=True)
    (folder / "model.bin").write_bytes(b"content")
    os.mkfifo(folder / "deep" / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    (folder / "link").symlink_to(folder / "deep" / "pipe")


SPECIAL = {
    "what": "part of artifact 'folder'",
    "why": "pipes, sockets and devices can't be kept: 'deep/pipe', 'link', 'socket'",
}


@pytest.mark.parametrize("keep", [True, False])
def test_pipes_and_sockets_in_a_folder_are_left_out_and_named(store: Store, tmp_path: Path, keep: bool) -> None:
    special_in(tmp_path / "folder")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "folder", keep=keep)
    found = store.run("a")
    assert SPECIAL in found.missing
    (artifact,) = [item for item in found.artifacts if item.name == "folder"]
    assert (artifact.size, artifact.stored) == (7, keep)
    if keep:
        assert [member.path for member in artifact.members] == ["model.bin"]
    else:
        assert complete(store.folder, [found.id]) == 1
        (artifact,) = [item for item in store.run("a").artifacts if item.name == "folder"]
        assert artifact.sha256 == folder_sha256([Member("model.bin", 7, hashlib.sha256(b"content").hexdigest())])


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["pipe", "socket", "device", "link"])
def test_a_pipe_a_socket_or_a_device_is_refused(store: Store, tmp_path: Path, name: str, keep: bool) -> None:
    special_in(tmp_path)
    path = {"pipe": tmp_path / "deep" / "pipe", "device": Path("/dev/zero")}.get(name, tmp_path / name)
    with store.start_run("a") as run, pytest.raises(ValueError, match="is no regular file: only files and folders"):
        run.log_artifact(path, keep=keep)
    assert [item for item in store.run("a").artifacts if item.kind == "file"] == []


def test_what_becomes_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    blobs = Blobs(tmp_path / "blobs")
    for read in (lambda: blobs.put_file(tmp_path / "pipe"), lambda: hashed(tmp_path / "pipe")):
        with pytest.raises(OSError, match="it is no regular file"):
            read()
    assert list((tmp_path / "blobs").glob("*")) == [], "no draft is left"


@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("name", ["x" * 5_000, "a\0b", "nothing/below"])
def test_a_path_that_no_disk_can_have_is_not_there(store: Store, name: str, keep: bool) -> None:
    with store.start_run("a") as run, pytest.raises(FileNotFoundError, match="no file or folder"):
        run.log_artifact(name, keep=keep)


@pytest.mark.parametrize("keep", [True, False])
def test_a_file_that_can_not_be_read_is_told_and_stops_nobody(store: Store, tmp_path: Path, keep: bool) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "memory").symlink_to("/proc/self/mem")  # a regular file whose first byte can't be read
    with store.start_run("a") as run:
        if keep:
            with pytest.warns(RunloreWarning, match="can't be kept"):
                run.log_artifact(tmp_path / "folder", keep=keep)
        else:
            run.log_artifact(tmp_path / "folder", keep=keep)
        run.log_artifact(Path(__file__), keep=keep)
    found = {item.name: item for item in store.run("a").artifacts}
    assert (found["folder"].stored, Path(__file__).name in found) == (False, True)
    assert complete(store.folder, [store.run("a").id]) == (0 if keep else 2)
