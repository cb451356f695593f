"""Mutated model files: whatever they hold, reading one is bounded, executes nothing, and raises nothing.

Half of the inputs are mutated inside of their container, whose checksums and lengths are right again.
"""

import dataclasses
import encodings.cp437
import encodings.raw_unicode_escape  # noqa: F401  # both are imported by what decodes texts, at first need
import io
import json
import pickle
import random
import re
import struct
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import pytest

from runlore.hookspecs import Tensor
from runlore.provenance.apart import Apart
from runlore.provenance.fingerprints import Unread, weights_of
from tests.fuzz import inputs
from tests.fuzz.memory import forget_peak, peak

SECONDS = 10
MEMORY = 1 << 30
PICKLE = "archive/data.pkl"
HDF5 = "model.weights.h5"
EXECUTED = ("compile", "exec", "import", "os.system", "os.exec", "os.posix_spawn", "os.fork", "pickle.find_class")
STARTED, WRITTEN = (
    "subprocess.Popen",
    ("os.remove", "os.rename", "os.mkdir", "os.chmod", "os.truncate", "socket.connect"),
)
NUMBERS = [0, 1, 2, 7, 64, 255, 1 << 15, (1 << 31) - 1, 1 << 32, (1 << 63) - 1, (1 << 64) - 1]
OPERATIONS = [
    getattr(pickle, name) for name in pickle.__all__ if name.isupper() and isinstance(getattr(pickle, name), bytes)
]
PARTS = [
    b"cos\nsystem\n", b"cbuiltins\neval\n", b"ctorch\nSize\n", b"ctorch._utils\n_rebuild_tensor_v2\n",
    b"X\x08\0\0\0touch /x", b"(lp0\n", b"h\x00", b"h\x01", b"q\x01", b"\x85R", b"\x86R", b"tR", b"K\x01",
    b"}q\x01h\x01h\x01s", b"\x8a\x09" + b"\xff" * 8 + b"\x7f", b"J\xff\xff\xff\x7f", b"2", b"b", b"\x81",
]  # fmt: skip


class Watch:
    """Notes what an audit hook hears while it is armed; the hook stays in the process."""

    def __init__(self) -> None:
        self.armed = False
        self.heard: list[Any] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.armed:
            started = event == STARTED and "-P" not in arguments[1]
            opened = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
            mine = opened and not isinstance(arguments[0], int) and "tmp" not in str(arguments[0])
            if event in (*EXECUTED, *WRITTEN) or started or mine:
                self.heard.append((event, arguments))

    @contextmanager
    def armed_for(self) -> Iterator[None]:
        """Hear what happens in the block."""
        self.armed = True
        try:
            yield
        finally:
            self.armed = False


@cache
def watch() -> Watch:
    return Watch()


def state() -> dict[str, Any]:
    import torch

    base = torch.arange(24.0)
    net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    tensors = {"a": base.reshape(4, 6), "t": base.reshape(4, 6).t(), "b": torch.ones(3, dtype=torch.bfloat16)}
    return {"state_dict": {**tensors, **net.state_dict()}, "module": net, "epoch": 3, "names": {"x", "y"}, "none": None}


def torch_file(path: Path, *, older: bool) -> bytes:
    import torch

    torch.save(state(), path / "archive", _use_new_zipfile_serialization=not older)
    return (path / "archive").read_bytes()


def safetensors_file(path: Path) -> bytes:
    from safetensors.torch import save_file

    save_file({name: item.contiguous() for name, item in state()["state_dict"].items()}, path / "file")
    return (path / "file").read_bytes()


def hdf5_file(path: Path) -> bytes:
    import h5py

    with h5py.File(path / "file", "w") as file:
        for number in range(4):
            file.create_dataset(f"layers/dense_{number}/vars/0", data=[[1.0, 2.0]] * number)
        file.create_dataset("chunked", (64, 4), "f4", chunks=(8, 4))
        file["soft"], file["hard"] = h5py.SoftLink("/chunked"), file["chunked"]
        file.create_dataset("compact", data=b"text")
    return (path / "file").read_bytes()


def keras_file(path: Path) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(HDF5, hdf5_file(path))
    return kept.getvalue()


@lru_cache(4)
def told_places(content: bytes) -> list[int]:
    """Return the places of the bytes that are not zero; of no content the first."""
    return [place for place, byte in enumerate(content) if byte] or [0]


def of_bytes(content: bytes, dice: random.Random) -> bytes:
    """Mutate bytes without regard to their meaning, rather those that are not zero."""
    found = bytearray(content)
    told = told_places(content)
    for _ in range(dice.choice([1, 1, 2, 4, 16])):
        place = dice.choice(told) if dice.random() < 0.8 else dice.randrange(len(found))
        width = dice.choice([1, 2, 4, 8])
        match dice.randrange(5):
            case 0:
                found[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                found[place : place + width] = dice.choice(NUMBERS).to_bytes(8, "little")[:width]
            case 2:
                other, length = dice.randrange(len(found)), dice.randrange(64)
                found[place : place + length] = found[other : other + length]
            case 3:
                found[place : place + 1] = (
                    bytes([found[place] ^ 1 << dice.randrange(8)]) if place < len(found) else b"x"
                )
            case _:
                del found[place : place + dice.choice([1, 8, 1000])]
                found = found or bytearray(b"x")
                told = [0]
    return bytes(found)


def of_pickle(content: bytes, dice: random.Random) -> bytes:
    """Mutate a pickle by its operations."""
    found = bytearray(content)
    for _ in range(dice.choice([1, 2, 5, 20])):
        place = dice.randrange(2, max(len(found), 3))
        part = dice.choice(
            [dice.choice(OPERATIONS), dice.choice(PARTS), of_bytes(bytes(found[place : place + 20]) or b"x", dice)]
        )
        found[place : place + dice.choice([0, 0, 1, len(part)])] = part * dice.choice([1, 1, 1, 50])
    return bytes(found)


def of_header(content: bytes, dice: random.Random) -> bytes:
    """Mutate the header of a safetensors file as text, and its length with it."""
    (length,) = struct.unpack("<Q", content[:8])
    header = content[8 : 8 + length].decode()
    for _ in range(dice.choice([1, 2, 4])):
        tokens = list(re.finditer(r'\d+|"[^"]*"|[\[\]{},:]', header))
        token = dice.choice(tokens)
        others = [
            str(dice.choice(NUMBERS)),
            "-1",
            "1e400",
            "null",
            "[]",
            "{}",
            '"F32"',
            '"__metadata__"',
            token[0] * 2,
            "",
        ]
        header = header[: token.start()] + dice.choice([*others, dice.choice(tokens)[0]]) + header[token.end() :]
    return struct.pack("<Q", len(header.encode())) + header.encode() + content[8 + length :]


def within(name: str, mutate: Callable[[bytes, random.Random], bytes]) -> Callable[[bytes, random.Random], bytes]:
    """Return what mutates a file in a zip archive, whose checksums are right again."""

    def changed(content: bytes, dice: random.Random) -> bytes:
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(made, "w") as other:
            for entry in archive.infolist():
                held = archive.read(entry)
                other.writestr(entry.filename, mutate(held, dice) if entry.filename == name else held)
        return made.getvalue()

    return changed


KINDS: dict[str, tuple[Callable[[Path], bytes], Callable[[bytes, random.Random], bytes], int]] = {
    "torch": (lambda path: torch_file(path, older=False), within(PICKLE, of_pickle), 300),
    "older torch": (lambda path: torch_file(path, older=True), of_pickle, 300),
    "safetensors": (safetensors_file, of_header, 500),
    "hdf5": (hdf5_file, of_bytes, 150),
    "keras": (keras_file, within(HDF5, of_bytes), 150),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_file_costs_little_and_executes_nothing(kind: str, tmp_path: Path) -> None:
    make, inside, few = KINDS[kind]
    honest = make(tmp_path)
    path = tmp_path / "file"
    path.write_bytes(b"no model, so that every reader is imported")
    assert weights_of([path]) is None
    path.write_bytes(honest)
    complaints: list[Unread] = []
    compared = 0
    dataclasses.fields(Tensor)  # makes the class, which else is compiled once there are some objects
    watch().heard.clear()
    with Apart() as apart:
        assert weights_of([path], complaints.append, apart) is not None, complaints
        forget_peak()
        before = peak()
        for number in inputs(few):
            dice = random.Random(number)
            path.write_bytes((inside if number % 2 else of_bytes)(honest, dice))
            began = time.thread_time()
            with watch().armed_for():
                compared += weights_of([path], complaints.append, apart) is not None
            assert time.thread_time() - began < SECONDS, number
            assert peak() - before < MEMORY, number
            assert watch().heard == [], number
    assert 0 < compared < len(inputs(few)), "some are still models, some are not"
    assert not any(complaint.may_pass for complaint in complaints)
    assert json.dumps([complaint.why for complaint in complaints])
