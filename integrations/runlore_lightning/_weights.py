"""The tensors of a file of `torch.save`, such as a Lightning checkpoint, read without torch and without its classes.

The file is a zip archive: `<name>/data.pkl` says which tensors there are, `<name>/data/<key>` holds their values. In an
older form several pickles stand one behind the other. They are read by an unpickler that executes nothing.
"""

import hashlib
import io
import math
import struct
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from runlore.hookspecs import Tensor
from runlore_lightning._inert import Inert, Reader, Stored

MOST_PICKLE = 64 << 20  # bytes of data.pkl; that of a model with 100,000 tensors is 10 MB
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # within the first bytes of the older form: a pickle of it
BEGIN = 40  # bytes
DEEPEST = 5  # dicts within dicts that are looked into
MOST_EXPANDED = 64 << 20  # bytes that tensors may have beyond those of the file, as expanded ones do
BITS = (("128", 16), ("64", 8), ("32", 4), ("16", 2), ("8", 1))  # digits of a type's name and the bytes of a value


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """The sets of tensors by where they stand in the file; None where it is no file of `torch.save`.

    Raises:
        Exception: it is one, and can't be understood; a damaged or hostile file may make any operation fail.
    """
    if zipfile.is_zipfile(path):
        found = _read_archive(path)
    else:
        with path.open("rb") as file:
            head = file.read(BEGIN)
        found = _read_sequence(path) if head[:1] == b"\x80" and MAGIC in head else None
    if found is None:
        return None
    tree, values = found
    return {name: [values.described(key, item) for key, item in tensors.items()] for name, tensors in _sets(tree)}


def _read_archive(path: Path) -> "tuple[Any, _Values] | None":
    with zipfile.ZipFile(path) as archive:
        entries = {item.filename: item for item in archive.infolist()}
        root = next((name.removesuffix("data.pkl") for name in entries if name.endswith("data.pkl")), None)
        if root is None:
            return None
        byteorder = entries.get(f"{root}byteorder")
        if byteorder is not None and byteorder.file_size < 16 and archive.read(byteorder).strip() == b"big":
            raise ValueError("its numbers are big-endian")
        if entries[f"{root}data.pkl"].file_size > MOST_PICKLE:
            raise ValueError(f"its data.pkl has more than {MOST_PICKLE >> 20} MiB")
        tree = Reader(io.BytesIO(archive.read(f"{root}data.pkl"))).load()
    values = _Values(path)
    for name, entry in entries.items():
        if entry.compress_type == zipfile.ZIP_STORED and name.startswith(f"{root}data/"):
            extra = values.numbers("<HH", entry.header_offset + 26)  # lengths in the zip's local header
            begin = entry.header_offset + 30 + sum(extra)
            values.places[name.removeprefix(f"{root}data/")] = (begin, entry.file_size)
    return tree, values


def _read_sequence(path: Path) -> "tuple[Any, _Values]":
    """As torch wrote before 1.6, and still does on demand: five pickles, then each storage behind its length.

    The pickles are a number, a version, facts of the machine, the tree, and the keys of storages in their order.
    """
    with path.open("rb") as file:
        head = io.BytesIO(file.read(MOST_PICKLE))
    for _ in range(3):
        Reader(head).load()
    reader = Reader(head)
    tree = reader.load()
    keys = Reader(head).load()
    values = _Values(path)
    place = head.tell()
    for key in keys:
        (count,) = values.numbers("<q", place)
        size = count * _size_of(reader.storages[key])
        values.places[key] = (place + 8, size)
        place += 8 + size
    return tree, values


def _sets(tree: Any) -> Iterator[tuple[str, dict[str, Stored]]]:
    """The tensors by name of the file itself and of what it holds under a name; deeper ones only if there are none.

    They are in dicts or in modules. States of optimizers are left out.
    """
    level = [("", tree)]
    seen: set[int] = set()
    for depth in range(DEEPEST):
        inner = list(_below(level, seen))
        looked = level + inner if depth == 0 else inner
        found = [(place, tensors) for place, item in looked if (tensors := _tensors(item))]
        if found:
            yield from found
            return
        level = inner


def _below(level: list[tuple[str, Any]], seen: set[int]) -> Iterator[tuple[str, Any]]:
    """What dicts hold under a name, each dict looked into once."""
    for place, holder in level:
        if isinstance(holder, dict) and id(holder) not in seen:
            seen.add(id(holder))
            for name, item in holder.items():
                if isinstance(name, str) and isinstance(item, dict | Inert) and "optim" not in name.lower():
                    yield f"{place}.{name}" if place else name, item


def _tensors(holder: Any) -> dict[str, Stored]:
    if isinstance(holder, Inert):
        return holder.tensors()
    if not isinstance(holder, dict):
        return {}
    return {key: item for key, item in holder.items() if isinstance(key, str) and isinstance(item, Stored)}


class _Values:
    """The values of tensors, read where they lie in the file. `places` are the first byte and the bytes of storages."""

    def __init__(self, path: Path) -> None:
        import numpy

        self._content = numpy.memmap(path, numpy.uint8, "r")
        self.places: dict[str, tuple[int, int]] = {}

    def numbers(self, form: str, place: int) -> tuple[int, ...]:
        """What stands there, in the words of `struct`."""
        return struct.unpack_from(form, self._content.data, place)

    def described(self, name: str, tensor: Stored) -> Tensor:
        """A tensor with the hash of its values.

        Raises:
            ValueError: they are not all there.
        """
        import numpy

        size = _size_of(tensor.dtype)
        if tensor.key not in self.places:
            raise ValueError(f"the values of {name!r} are not there")
        begin, length = self.places[tensor.key]
        reach = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1
        reach = reach if math.prod(tensor.shape) else 0
        start = begin + tensor.offset * size
        end = min(begin + length, len(self._content))
        if min((tensor.offset, *tensor.shape, *tensor.strides)) < 0 or start + reach * size > end:
            raise ValueError(f"{name!r} reaches beyond its values")
        if math.prod(tensor.shape) * size > MOST_EXPANDED + len(self._content):
            raise ValueError(f"{name!r} has more values than the file")
        values = self._content[start : start + reach * size]
        if reach and not _is_plain(tensor):
            rows = values.view(numpy.dtype((numpy.void, size)))
            strides = [stride * size for stride in tensor.strides]
            values = numpy.ascontiguousarray(numpy.lib.stride_tricks.as_strided(rows, tensor.shape, strides))
        return Tensor(name, tensor.dtype, tensor.shape, hashlib.sha256(values.view(numpy.uint8).data).hexdigest())


def _is_plain(tensor: Stored) -> bool:
    """Whether its values stand one behind the other in the order of its rows."""
    expected = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if length > 1 and stride != expected:
            return False
        expected *= length
    return True


def _size_of(dtype: str) -> int:
    """Bytes of a value."""
    if dtype == "bool":
        return 1
    digits = dtype.partition("_")[0]  # of "float8_e4m3fn"
    found = next((size for bits, size in BITS if digits.endswith(bits)), None)
    if found is None:
        raise ValueError(f"values of the type {dtype!r} have an unknown size")
    return found
