"""Read the tensors of a file of `torch.save`, such as a Lightning checkpoint, without torch and without its classes.

The file is a zip archive: `<name>/data.pkl` names the tensors, `<name>/data/<key>` holds their values. An older form
is a sequence of pickles. They are read by an unpickler that executes nothing (`_inert`).
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

MAX_PICKLE_BYTES = 64 << 20  # of data.pkl; that of a model with 100,000 tensors has 10 MB
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # pickled at the beginning of the older form
HEAD_BYTES = 40  # in which it stands
MAX_DEPTH = 5  # of dicts within dicts that are looked into
MAX_EXPANDED_BYTES = 64 << 20  # that a tensor may have beyond those of the file, as an expanded one does
BYTES_BY_BITS = (("128", 16), ("64", 8), ("32", 4), ("16", 2), ("8", 1))  # a dtype's name ends in its bits


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the tensors by the place of their dict or module in the file; None where `torch.save` did not write it.

    Raises:
        Exception: it did, and the file can't be read; a damaged or hostile one may make any operation fail.
    """
    if zipfile.is_zipfile(path):
        found = _read_archive(path)
    else:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
        found = _read_sequence(path) if head[:1] == b"\x80" and MAGIC in head else None
    if found is None:
        return None
    tree, values = found
    return {name: [values.describe(key, item) for key, item in tensors.items()] for name, tensors in _sets(tree)}


def _read_archive(path: Path) -> "tuple[Any, _Values] | None":
    with zipfile.ZipFile(path) as archive:
        entries = {item.filename: item for item in archive.infolist()}
        root = next((name.removesuffix("data.pkl") for name in entries if name.endswith("data.pkl")), None)
        if root is None:
            return None
        byteorder = entries.get(f"{root}byteorder")
        if byteorder is not None and byteorder.file_size < 16 and archive.read(byteorder).strip() == b"big":
            raise ValueError("its numbers are big-endian")
        if entries[f"{root}data.pkl"].file_size > MAX_PICKLE_BYTES:
            raise ValueError(f"its data.pkl has more than {MAX_PICKLE_BYTES >> 20} MiB")
        tree = Reader(io.BytesIO(archive.read(f"{root}data.pkl"))).load()
    values = _Values(path)
    for name, entry in entries.items():
        if entry.compress_type == zipfile.ZIP_STORED and name.startswith(f"{root}data/"):
            extra = values.numbers("<HH", entry.header_offset + 26)  # lengths in the zip's local header
            begin = entry.header_offset + 30 + sum(extra)
            values.places[name.removeprefix(f"{root}data/")] = (begin, entry.file_size)
    return tree, values


def _read_sequence(path: Path) -> "tuple[Any, _Values]":
    """Read the form of torch before 1.6, still written on demand: five pickles, then each storage behind its length.

    The pickles are a magic number, a version, facts of the machine, the tree, and the keys of storages in their order.
    """
    with path.open("rb") as file:
        head = io.BytesIO(file.read(MAX_PICKLE_BYTES))
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
    """Yield the dicts and modules that hold tensors, by their place: from the first levels where there are any.

    The top of the file and what lies right below count as one level. States of optimizers are left out.
    """
    level = [("", tree)]
    seen: set[int] = set()
    for depth in range(MAX_DEPTH):
        inner = list(_below(level, seen))
        looked = level + inner if depth == 0 else inner
        found = [(place, tensors) for place, item in looked if (tensors := _tensors(item))]
        if found:
            yield from found
            return
        level = inner


def _below(level: list[tuple[str, Any]], seen: set[int]) -> Iterator[tuple[str, Any]]:
    """Yield the dicts and objects that these dicts hold under a name; each dict is looked into once."""
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
    """Reads the values of tensors where they lie in the file: `places` has the first byte and the size of a storage."""

    def __init__(self, path: Path) -> None:
        import numpy

        self._content = numpy.memmap(path, numpy.uint8, "r")
        self.places: dict[str, tuple[int, int]] = {}

    def numbers(self, form: str, place: int) -> tuple[int, ...]:
        """Return the numbers at a byte of the file; `form` is that of `struct`."""
        return struct.unpack_from(form, self._content.data, place)

    def describe(self, name: str, tensor: Stored) -> Tensor:
        """Return a tensor with the hash of its values.

        Raises:
            ValueError: some of them are not in the file.
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
        if math.prod(tensor.shape) * size > MAX_EXPANDED_BYTES + len(self._content):
            raise ValueError(f"{name!r} has more values than the file")
        values = self._content[start : start + reach * size]
        if reach and not _is_plain(tensor):
            rows = values.view(numpy.dtype((numpy.void, size)))
            strides = [stride * size for stride in tensor.strides]
            values = numpy.ascontiguousarray(numpy.lib.stride_tricks.as_strided(rows, tensor.shape, strides))
        return Tensor(name, tensor.dtype, tensor.shape, hashlib.sha256(values.view(numpy.uint8).data).hexdigest())


def _is_plain(tensor: Stored) -> bool:
    """Return True if the values stand one behind the other in the order of the rows."""
    expected = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.strides), strict=True):
        if length > 1 and stride != expected:
            return False
        expected *= length
    return True


def _size_of(dtype: str) -> int:
    """Return the bytes of one value."""
    if dtype == "bool":
        return 1
    digits = dtype.partition("_")[0]  # of "float8_e4m3fn"
    found = next((size for bits, size in BYTES_BY_BITS if digits.endswith(bits)), None)
    if found is None:
        raise ValueError(f"values of the type {dtype!r} have an unknown size")
    return found
