"""A model file costs no more to read than an honest one of its size, whatever it says of itself."""

import json
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from runlore import Store, hookimpl
from runlore.provenance import model_files
from runlore.provenance.apart import Apart
from runlore.provenance.fingerprints import Unread, weights_of
from runlore.provenance.origins import which_run
from tests.fuzz.memory import forget_peak, peak
from tests.provenance import readers

SECONDS = 10
MEMORY = 1 << 30
TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\0\0\0storagectorch\nByteStorage\nX\x01\0\0\0%sX\x03\0\0\0cpuK%ctQ"


def archive(path: Path, tree: bytes, values: bytes = bytes(64)) -> Path:
    """Write a file as `torch.save` does, with operations of a pickle that leave its content on the stack."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", b"\x80\x04" + tree + b".")
        file.writestr("archive/data/0", values)
    return path


def text(content: str) -> bytes:
    return b"X" + struct.pack("<I", len(content)) + content.encode()


def number(value: int) -> bytes:
    content = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8b" + struct.pack("<I", len(content)) + content


def tensor(offset: int, shape: bytes, strides: bytes, storage: bytes = b"h\x00") -> bytes:
    """Operations that make a tensor of the storage that is the first in the memo."""
    return TENSOR + b"(" + storage + number(offset) + shape + strides + b"\x89}tR"


def opened_storage(size: int) -> bytes:
    return STORAGE % (b"0", size) + b"q\x00" + b"0"


def long_sizes(path: Path) -> None:
    items = b"]q\x01(" + b"K\x01" * 1_000_000 + b"e0"
    archive(
        path, b"}" + items + b"(" + b"".join(text(str(n)) + b"ctorch\nSize\nh\x01\x85R" for n in range(1000)) + b"u"
    )


def long_arguments(path: Path) -> None:
    items = b"(" + b"K\x01" * 1_000_000 + b"tq\x010"
    archive(path, items + b"cany\nthing\nq\x020]" + b"(" + b"h\x02h\x01R" * 20_000 + b"e")


def modules(path: Path, name: str, levels: int, holders: int) -> None:
    """Modules within modules of long names, held under many names."""
    net = torch.nn.Linear(1, 1)
    for _ in range(levels):
        outer = torch.nn.Module()
        for number in range(holders):
            outer.add_module(f"{name}{number}", net)
        net = outer
    torch.save(net, path)


def expanded(path: Path) -> None:
    one = opened_storage(64)
    each = (text(str(n)) + tensor(n % 64, number(64 << 20) + b"\x85", b"K\0\x85") for n in range(20_000))
    archive(path, one + b"}(" + b"".join(each) + b"u")


def over_one_storage(path: Path) -> None:
    size = 1 << 20
    each = (text(str(n)) + tensor(n, number(size - n) + b"\x85", b"K\x01\x85") for n in range(100_000))
    archive(path, opened_storage(64) + b"}(" + b"".join(each) + b"u", bytes(size))


def huge_numbers(path: Path) -> None:
    wide = number(1 << 400_000) + b"q\x010(" + b"h\x01" * 10_000 + b"tq\x020"
    archive(path, opened_storage(64) + wide + b"}" + text("w") + tensor(0, b"h\x02", b"h\x02") + b"s")


def dict_in_itself(path: Path) -> None:
    archive(path, b"}q\x01(" + b"".join(text(f"a{n}") + b"h\x01" for n in range(100_000)) + b"u")


def equal_keys(path: Path) -> None:
    key = text("k" * 1_000_000)
    archive(path, key + b"q\x01" + key + b"q\x02}q\x03h\x01Ns(" + b"h\x02N" * 1_000_000 + b"u")


def huge_keys(path: Path) -> None:
    archive(path, number(1 << 8_000_000) + b"q\x01}(" + b"h\x01N" * 100_000 + b"u")


def long_types(path: Path) -> None:
    named = b"ctorch\n" + b"a" * 1_000_000 + b"32\nq\x010"
    wide = TENSOR.replace(b"v2", b"v3") + b"(h\x00K\0K\x01\x85K\x01\x85\x89}h\x01tR"
    archive(path, opened_storage(64) + named + b"}(" + b"".join(text(str(n)) + wide for n in range(100_000)) + b"u")


def many_operations(path: Path) -> None:
    archive(path, b"}" + b"}0" * (15 << 20))


def many_sets(path: Path) -> None:
    archive(path, b"}" * (30 << 20))


def many_files(path: Path) -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 1_500_000
    path.write_bytes(directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0))


def unpacked(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"\x80\x04}" + b"0}" * (100 << 20) + b".")


def packed_in_an_unusual_way(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("archive/data.pkl", b"\x80\x04}.")


def safetensors(path: Path, header: Any, values: bytes = b"") -> None:
    content = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(content)) + content + values)


def overlapping(path: Path) -> None:
    size = 1 << 20
    item = {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}
    safetensors(path, {str(number): item for number in range(50_000)}, bytes(size))


def impossible_shapes(path: Path) -> None:
    item = {"dtype": "U8", "shape": [int("9" * 4000)] * 1_000, "data_offsets": [0, 0]}
    safetensors(path, {str(number): item for number in range(4)})


def deep_header(path: Path) -> None:
    content = b'{"a":' + b"[" * 20_000_000
    path.write_bytes(struct.pack("<Q", len(content)) + content)


def wide_header(path: Path) -> None:
    content = b'{"__metadata__":[' + b"{}," * 8_000_000 + b"0]}"
    path.write_bytes(struct.pack("<Q", len(content)) + content)


def older_form(path: Path, keys: bytes) -> None:
    torch.save({"w": torch.ones(2)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    begin = content.rindex(b"\x80\x02]")
    path.write_bytes(content[:begin] + b"\x80\x04" + keys + b"." + struct.pack("<q", -9) * 9)


def groups(path: Path, depth: int) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        group = file
        for _ in range(depth):
            group = group.create_group("g")


def chunks(path: Path) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        file.create_dataset("w", (1, 50 << 20), "u1", chunks=(1, 50 << 20), compression="gzip")
        file["w"][0, :10] = 1


def packed_keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(80 << 20))


def lying_keras(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + bytes(100))
    content = bytearray(path.read_bytes())
    place = content.rindex(b"PK\1\2")
    content[place + 20 : place + 28] = struct.pack("<II", 0xFFFFFF00, 0xFFFFFF00)
    path.write_bytes(content)


BOMBS: dict[str, Callable[[Path], Any]] = {
    "a list made a size a thousand times": long_sizes,
    "a function called with a million arguments": long_arguments,
    "names of a megabyte in twelve levels": lambda path: modules(path, "n" * 1_000_000, 12, 1),
    "one tree under many names": lambda path: modules(path, "n", 2, 2_000),
    "trees that hold each other": lambda path: modules(path, "n", 40, 2),
    "expanded tensors": expanded,
    "tensors over one storage": over_one_storage,
    "huge whole numbers as a shape": huge_numbers,
    "huge whole numbers as keys": huge_keys,
    "equal long keys": equal_keys,
    "a dict in itself": dict_in_itself,
    "long names of types": long_types,
    "many operations": many_operations,
    "many sets": many_sets,
    "many files in a zip": many_files,
    "a pickle that unpacks": unpacked,
    "a pickle packed in an unusual way": packed_in_an_unusual_way,
    "entries that overlap": overlapping,
    "impossible shapes": impossible_shapes,
    "a deep header": deep_header,
    "a wide header": wide_header,
    "storages of the older form without sizes": lambda path: older_form(path, b"]"),
    "storages of the older form whose keys are nested": lambda path: older_form(path, b"K\x01" + b"q\0h\0\x86" * 60),
    "groups that lie deep": lambda path: groups(path, 3_000),
    "a chunk that unpacks": chunks,
    "a .keras file that unpacks": packed_keras,
    "a .keras file that lies about sizes": lying_keras,
}
UNKNOWN = {"a function called with a million arguments", "huge whole numbers as keys", "a wide header"}
SLOW = {
    "many operations", "many sets", "many files in a zip", "a wide header", "equal long keys", "a pickle that unpacks",
    "long names of types", "tensors over one storage", "impossible shapes", "a dict in itself", "a chunk that unpacks",
    "a .keras file that unpacks", "a deep header", "huge whole numbers as keys", "one tree under many names",
}  # fmt: skip


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.stress] if name in SLOW else []) for name in BOMBS]
)
def test_a_bomb_is_not_compared_and_says_why(name: str, tmp_path: Path) -> None:
    BOMBS[name](tmp_path / "bomb")
    complaints: list[Unread] = []
    forget_peak()
    before, began = peak(), time.thread_time()
    assert weights_of([tmp_path / "bomb"], complaints.append) is None
    assert time.thread_time() - began < SECONDS
    assert peak() - before < MEMORY
    assert complaints or name in UNKNOWN
    assert not any(complaint.may_pass for complaint in complaints)
    assert all("are not compared: " in complaint.why and len(complaint.why) < 1000 for complaint in complaints)


def test_a_bomb_in_a_store_is_read_once_and_hides_no_other_model(
    store: Store, tmp_path: Path, plug: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Asked:
        @hookimpl
        def runlore_describe_weights(self, path: Path) -> None:
            asked.append(path.name)

    plug(Asked())
    monkeypatch.setattr(model_files, "MAX_STEPS", 50_000)
    dict_in_itself(tmp_path / "bomb.ckpt")
    torch.save({"w": torch.ones(3)}, tmp_path / "model.pt")
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "bomb.ckpt", kind="checkpoint")
        run.log_artifact(tmp_path / "model.pt", kind="model")
    save_file({"w": torch.ones(3)}, tmp_path / "deployed")
    for _ in range(2):
        (origin,) = which_run(store, tmp_path / "deployed").found
        assert (origin.artifact, origin.match) == ("model.pt", "weights")
    assert asked.count(str(store.run("a").artifact("bomb.ckpt").sha256)) == 1
    (tmp_path / "bomb.ckpt").rename(tmp_path / "asked")
    assert which_run(store, tmp_path / "asked").found[0].match == "sha256"
    dict_in_itself(tmp_path / "other")
    (tmp_path / "other").write_bytes((tmp_path / "other").read_bytes() + b"PK")
    hints = which_run(store, tmp_path / "other").hints
    assert "are not compared: plugin 'lightning': ValueError: it takes more than 50,000 steps to read" in hints[0]


# HDF5


def hdf5(path: Path, fill: Callable[[Any], Any]) -> Path:
    import h5py

    with h5py.File(path, "w") as file:
        fill(file)
    return path


def virtual(file: Any, other: Path) -> None:
    import h5py

    layout = h5py.VirtualLayout((2,), "f8")
    layout[:] = h5py.VirtualSource(other, "s", (2,))
    file.create_virtual_dataset("v", layout)


def test_values_of_other_files_are_not_read(tmp_path: Path) -> None:
    import h5py

    other = hdf5(tmp_path / "other.h5", lambda file: file.update(s=[1.0, 2.0]))
    fills: dict[str, Callable[[Any], Any]] = {
        "raw": lambda file: file.create_dataset("w", (8,), "u1", external=[(str(other), 0, 8)]),
        "virtual": lambda file: virtual(file, other),
    }
    for name, fill in fills.items():
        complaints: list[Unread] = []
        assert weights_of([hdf5(tmp_path / name, fill)], complaints.append) is None
        assert "lie in another file" in complaints[0].why

    def linked(file: Any) -> None:
        file["own"] = [3.0]
        file["external"], file["soft"] = h5py.ExternalLink(str(other), "/s"), h5py.SoftLink("/own")

    plain = hdf5(tmp_path / "plain", lambda file: file.update(own=[3.0]))
    assert weights_of([hdf5(tmp_path / "linked", linked)]) == weights_of([plain]) is not None


def test_a_pipe_a_device_and_a_folder_are_no_model(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        complaints: list[Unread] = []
        assert weights_of([path], complaints.append) is None
        assert complaints[0].may_pass


def test_values_in_any_form_that_h5py_writes_are_the_same(tmp_path: Path) -> None:
    import h5py
    import numpy

    values = numpy.arange(4_800_000, dtype="f4").reshape(3, 2, 800, 1000)  # larger than a block
    torch.save({"w": torch.from_numpy(values)}, tmp_path / "w.pt")
    wanted = weights_of([tmp_path / "w.pt"])
    assert wanted is not None
    forms: dict[str, Any] = {"whole": {}, "chunks": {"chunks": (1, 2, 300, 1000)}, "big": {"dtype": ">f4"}}
    for name, form in forms.items():
        with h5py.File(tmp_path / name, "w") as file:
            file.create_dataset("w", data=values, **form)
        found = weights_of([tmp_path / name])
        assert found is not None
        assert (found.whole == wanted.whole) == (name != "big"), "a type of another order has another name"


@pytest.mark.parametrize("reader", [readers.stall, readers.crash, readers.swell])
def test_a_reader_apart_that_stalls_crashes_or_swells_ends_alone(reader: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    with Apart() as apart, (tmp_path / "file").open("rb") as file:
        for _ in range(2):
            with pytest.raises((ValueError, ImportError), match="computing|^$"):
                apart.read(reader, file.fileno(), 0.3)
        assert apart.read(readers.find_nothing, file.fileno(), 1) == []


# Honest files


def fail(complaint: Unread) -> None:
    pytest.fail(complaint.why)


@pytest.mark.long
def test_the_largest_honest_files_are_compared(tmp_path: Path) -> None:
    names = [f"model.layers.{number // 10}.self_attn.q_proj.{number}.weight" for number in range(20_000)]
    parameters = [torch.nn.Parameter(torch.full((2, 2), float(number))) for number in range(len(names))]
    optimizer = torch.optim.AdamW(parameters)
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    state = dict(zip(names, parameters, strict=True))
    torch.save({"state_dict": state, "optimizer_states": [optimizer.state_dict()]}, tmp_path / "many.ckpt")
    found = weights_of([tmp_path / "many.ckpt"], fail)
    assert found is not None
    assert found.values == 80_000

    shards = [tmp_path / f"model-{number}.safetensors" for number in range(3)]
    for shard in shards:  # as those of 7,000,000,000 values, each a tenth as large
        sparse(shard, {f"model.layers.{shard.stem}.{number}.weight": (243, 3200) for number in range(300)}, "BF16", 2)
    found = weights_of(shards, fail)
    assert found is not None
    assert found.values == 3 * 300 * 243 * 3200

    keras = hdf5(tmp_path / "large.weights.h5", lambda file: file.create_dataset("w", (1 << 28,), "f4"))
    with keras.open("r+b") as file:
        file.truncate(1 << 30)
    with zipfile.ZipFile(tmp_path / "large.keras", "w") as archive:
        archive.write(keras, "model.weights.h5")
    found = weights_of([tmp_path / "large.keras"], fail)
    assert found is not None
    assert found.values == 1 << 28


def sparse(path: Path, shapes: dict[str, tuple[int, int]], dtype: str, size: int) -> None:
    header: dict[str, Any] = {}
    end = 0
    for name, (rows, columns) in shapes.items():
        header[name] = {
            "dtype": dtype, "shape": [rows, columns], "data_offsets": [end, end + rows * columns * size],
        }  # fmt: skip
        end += rows * columns * size
    safetensors(path, header)
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + end)
