"""Weights are the same in whatever container; nothing in a file is ever executed."""

import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from runlore import Store
from runlore.provenance.fingerprints import Unread, weights_of
from runlore.provenance.origins import which_run


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int64", "int8", "uint8", "bool", "complex64"])
def test_a_tensor_of_any_type_is_the_same_in_every_container(dtype: str, tmp_path: Path) -> None:
    tensor = (torch.arange(12) % 5).reshape(3, 4).to(getattr(torch, dtype))
    many: dict[str, Any] = {"a": tensor, "scalar": tensor[1, 1].clone(), "none": tensor[:0].clone()}
    torch.save({**many, "a": tensor.t().contiguous().t()}, tmp_path / "a.pt")
    torch.save({"net": many}, tmp_path / "b.pt")
    save_file(many, tmp_path / "c.safetensors")
    fingerprints = {weights_of([tmp_path / name]) for name in ("a.pt", "b.pt", "c.safetensors")}
    assert len({found.whole[0] for found in fingerprints if found}) == 1
    assert None not in fingerprints
    assert load_file(tmp_path / "c.safetensors")["a"].equal(tensor)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_are_the_same_in_both_containers(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"w": torch.arange(8.0).to(dtype)}
    torch.save(state, tmp_path / "a.pt")
    save_file(state, tmp_path / "b")
    first, second = weights_of([tmp_path / "a.pt"]), weights_of([tmp_path / "b"])
    assert first is not None
    assert first == second


def test_parameters_views_and_subclasses_are_read(tmp_path: Path) -> None:
    base = torch.arange(20.0)
    torch.save({"w": torch.nn.Parameter(base[4:10].reshape(2, 3)), "v": base[::2]}, tmp_path / "a.pt")
    save_file({"w": base[4:10].reshape(2, 3).clone(), "v": base[::2].clone()}, tmp_path / "b")
    first, second = weights_of([tmp_path / "a.pt"]), weights_of([tmp_path / "b"])
    assert first is not None
    assert second is not None
    assert first.whole == second.whole


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int8", "bool", "complex64"])
def test_the_older_form_says_the_same_of_any_type(dtype: str, tmp_path: Path) -> None:
    base = (torch.arange(12) % 5).to(getattr(torch, dtype))
    tensors = {"a": base.reshape(3, 4).t(), "part": base[3:7], "b": torch.ones(5)}
    torch.save(tensors, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(tensors, tmp_path / "new.pt")
    assert weights_of([tmp_path / "old.pt"]) == weights_of([tmp_path / "new.pt"]) != None  # noqa: E711


def test_modules_that_hold_each_other_make_a_file_unknown(tmp_path: Path) -> None:
    net = torch.nn.Module()
    for _ in range(40):  # each holds the one before twice: 2^40 names
        outer = torch.nn.Module()
        outer.a, outer.b = net, net
        net = outer
    torch.save(net, tmp_path / "bomb.pt")
    complaints: list[Unread] = []
    assert weights_of([tmp_path / "bomb.pt"], complaints.append) is None
    assert "more modules than a model has" in complaints[0].why
    assert not complaints[0].may_pass


class Bomb:
    """What a hostile file would like to have called."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return (Path.touch, (self.place,))


def hostile(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", b"\0" * 64)
    return path


def test_nothing_in_a_file_is_executed(store: Store, tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    files = [tmp_path / "bomb.pkl", hostile(tmp_path / "bomb.pt", pickle.dumps({"state_dict": Bomb(marker)}, 4))]
    files[0].write_bytes(pickle.dumps(Bomb(marker)))
    torch.save({"state_dict": {"w": torch.ones(3)}, "hook": Bomb(marker)}, tmp_path / "mixed.pt")
    files.append(tmp_path / "mixed.pt")
    for code in (
        b"cos\nsystem\n(S'touch %s'\ntR.",
        b"(S'touch %s'\nios\nsystem\n.",
        b"c__builtin__\neval\n(S'1/0#%s'\ntR.",
    ):
        files.append(hostile(tmp_path / f"{len(files)}.pt", code % str(marker).encode()))
    with store.start_run("uploads") as run:
        for file in files:
            run.log_artifact(file, kind="model")
    save_file({"w": torch.zeros(1)}, tmp_path / "asked")
    for file in (*files, tmp_path / "asked"):
        which_run(store, file)
        weights_of([file])
    assert not marker.exists()
    assert weights_of([tmp_path / "mixed.pt"]) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n" + b"\0" * 40,
        struct.pack("<Q", 1 << 62) + b"{",
        struct.pack("<Q", 60) + json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 99]}}).encode(),
        struct.pack("<Q", 12) + b'{"w":"nope"}',
        b"\x80\x04K\x01r\xff\xff\xff\x7f.",
    ],
)
def test_a_damaged_or_lying_file_is_an_unknown_one(content: bytes, store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    (tmp_path / "file").write_bytes(content)
    hostile(tmp_path / "zip", content)
    for name in ("file", "zip"):
        assert which_run(store, tmp_path / name).found == ()
        assert weights_of([tmp_path / name]) is None


def test_a_tensor_beyond_its_storage_makes_the_file_unknown(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(4)}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        entries = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content[:4] if "/data/" in name else content)
    assert weights_of([tmp_path / "b.pt"]) is None
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.pt").read_bytes())) as archive:
        assert archive.testzip() is None


def pickled(*operations: bytes) -> bytes:
    return b"\x80\x04" + b"".join(operations) + b"."


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"


NESTED = b"K\x01" + b"q\x00h\x00\x86" * 60  # a tuple of tuples, whose hash takes 2^60 steps


HOSTILE = {
    "a key that takes for ever to hash": pickled(b"}", NESTED, b"K\x01s"),
    "keys of many items": pickled(b"}(", NESTED, b"K\x01u"),
    "a set": pickled(b"\x8f(", NESTED, b"\x90"),
    "a frozen set": pickled(b"(", NESTED, b"\x91"),
    "room for as much as it says": pickled(b"\x96" + struct.pack("<Q", 3 << 30)),
    "a storage whose name takes for ever to write": pickled(b"(U\x07storagectorch\nFloatStorage\n", NESTED, b"tQ"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_pickle_made_to_stall_or_swell_costs_nothing(what: str, tmp_path: Path) -> None:
    hostile(tmp_path / "a.pt", HOSTILE[what])
    tracemalloc.start()
    try:
        assert weights_of([tmp_path / "a.pt"]) is None
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_a_file_can_not_change_the_reader(tmp_path: Path) -> None:
    from runlore_lightning import _inert, _unpickler

    kinds = [kind for module in (_inert, _unpickler) for kind in vars(module).values() if isinstance(kind, type)]
    hostile(tmp_path / "a.pt", pickled(TENSOR, b"(N}U\x08__name__U\x05OWNEDstb"))
    before = [dict(vars(kind)) for kind in kinds]
    weights_of([tmp_path / "a.pt"])
    assert [dict(vars(kind)) for kind in kinds] == before


def test_tensors_that_claim_more_than_there_is_make_a_file_unknown(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    torch.save({"w": torch.ones(1).expand(700_000_000)}, tmp_path / "stride.pt")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "big").write_bytes(struct.pack("<Q", len(header)) + header)
    import h5py

    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("w", (700_000_000,), "f4", chunks=(1000,))
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * (300 << 20))
    for name in ("stride.pt", "big", "huge.h5", "bomb.keras"):
        assert which_run(store, tmp_path / name).found == ()
        assert weights_of([tmp_path / name]) is None, name
