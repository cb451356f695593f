"""Read the tensors of a file of `torch.save`, such as a Lightning checkpoint, without torch and without its classes.

The file is a zip archive: `<name>/data.pkl` names the tensors, `<name>/data/<key>` holds their values. An older form
is a sequence of pickles. They are read by an unpickler that executes nothing (`_unpickler`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runlore.hookspecs import ModelFile, Tensor
from runlore_lightning._inert import Inert, Stored
from runlore_lightning._unpickler import Charged, Reader

MAX_PICKLE_BYTES = 64 << 20  # of data.pkl; that of a model with 100,000 tensors has 10 MB
MAGIC = (0x1950A86A20F9469CFC6C).to_bytes(10, "little")  # pickled at the beginning of the older form
HEAD_BYTES = 40  # in which it stands
MAX_DEPTH = 5  # of dicts within dicts that are looked into
BLOCK_VALUES = 1 << 16  # put in order at once
BYTES_BY_BITS = (("128", 16), ("64", 8), ("32", 4), ("16", 2), ("8", 1))  # a dtype's name ends in its bits


def read(file: ModelFile) -> Mapping[str, Sequence[Tensor]] | None:
    """Return the tensors by the place of their dict or module in the file; None where `torch.save` did not write it.

    Raises:
        Exception: it did, and the file can't be read; a damaged or hostile one may make any operation fail.
    """
    head = file.read(0, HEAD_BYTES)
    if head[:1] == b"\x80" and MAGIC in head:
        tree, values = _read_sequence(file)
    else:
        members = file.members()
        root = next((name.removesuffix("data.pkl") for name in members or () if name.endswith("data.pkl")), None)
        if members is None or root is None:
            return None
        tree, values = _read_archive(file, members, root)
    return {name: [values.describe(key, item) for key, item in tensors.items()] for name, tensors in _sets(tree, file)}


def _read_archive(file: ModelFile, members: Mapping[str, Any], root: str) -> "tuple[Any, _Values]":
    if f"{root}byteorder" in members:
        with file.member(f"{root}byteorder") as member:
            if member.read(16).strip() == b"big":
                raise ValueError("its numbers are big-endian")
    with file.member(f"{root}data.pkl") as member:
        content = member.read(MAX_PICKLE_BYTES + 1)
    if len(content) > MAX_PICKLE_BYTES:
        raise ValueError(f"its data.pkl has more than {MAX_PICKLE_BYTES >> 20} MiB")
    tree = Reader(Charged(content, file), file).load()
    return tree, _Values(file, members, f"{root}data/")


def _read_sequence(file: ModelFile) -> "tuple[Any, _Values]":
    """Read the form of torch before 1.6, still written on demand: five pickles, then each storage behind its length.

    The pickles are a magic number, a version, facts of the machine, the tree, and the keys of storages in their order.
    """
    head = Charged(file.read(0, MAX_PICKLE_BYTES), file)
    for _ in range(3):
        Reader(head, file).load()
    reader = Reader(head, file)
    tree = reader.load()
    keys = Reader(head, file).load()
    if not isinstance(keys, list):
        raise ValueError("its storages have no order")
    places: dict[str, tuple[int, int]] = {}
    place = head.tell()
    for key in keys:
        file.spend("steps")
        count = int.from_bytes(file.read(place, 8), "little", signed=True)
        if not isinstance(key, str) or count < 0:
            raise ValueError("a storage has no size")
        size = count * _size_of(reader.storages[key])
        places[key] = (place + 8, size)
        place += 8 + size
    return tree, _Values(file, places, "")


def _sets(tree: Any, file: ModelFile) -> Iterator[tuple[str, dict[str, Stored]]]:
    """Yield the dicts and modules that hold tensors, by their place: from the first levels where there are any.

    The top of the file and what lies right below count as one level. States of optimizers are left out.
    """
    level = [("", tree)]
    seen: set[int] = set()
    for depth in range(MAX_DEPTH):
        inner = list(_below(level, seen, file))
        looked = level + inner if depth == 0 else inner
        found = [(place, tensors) for place, item in looked if (tensors := _tensors(item, file))]
        if found:
            yield from found
            return
        level = inner


def _below(level: list[tuple[str, Any]], seen: set[int], file: ModelFile) -> Iterator[tuple[str, Any]]:
    """Yield the dicts and objects that these dicts hold under a name; each dict is looked into once."""
    for place, holder in level:
        if isinstance(holder, dict) and id(holder) not in seen:
            seen.add(id(holder))
            file.spend("steps", len(holder))
            for name, item in holder.items():
                if isinstance(name, str) and isinstance(item, dict | Inert) and "optim" not in name.lower():
                    file.spend("names", len(place) + len(name))
                    yield f"{place}.{name}" if place else name, item


def _tensors(holder: Any, file: ModelFile) -> dict[str, Stored]:
    if isinstance(holder, Inert):
        return holder.tensors(file)
    if not isinstance(holder, dict):
        return {}
    file.spend("steps", len(holder))
    return {key: item for key, item in holder.items() if isinstance(key, str) and isinstance(item, Stored)}


class _Values:
    """Hashes the values of tensors where they lie in the file; `places` has the first byte and the size of storages."""

    def __init__(self, file: ModelFile, places: Mapping[str, tuple[int, int] | None], root: str) -> None:
        self._file = file
        self._places = places
        self._root = root
        self._hashes: dict[Stored, str] = {}  # tied weights are hashed once

    def describe(self, name: str, tensor: Stored) -> Tensor:
        """Return a tensor with the hash of its values.

        Raises:
            ValueError: some of them are not in the file.
        """
        if tensor not in self._hashes:
            self._hashes[tensor] = self._hash(name, tensor)
        return Tensor(name, tensor.dtype, tensor.shape, self._hashes[tensor])

    def _hash(self, name: str, tensor: Stored) -> str:
        size = _size_of(tensor.dtype)
        place = self._places.get(self._root + tensor.key)
        if place is None:
            raise ValueError(f"the values of {name[:100]!r} are not there")
        begin, length = place
        reach = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1
        reach = reach if math.prod(tensor.shape) else 0
        start = tensor.offset * size
        if start + reach * size > length:
            raise ValueError(f"{name[:100]!r} reaches beyond its values")
        if not reach or _is_plain(tensor):
            return self._file.sha256(begin + start, reach * size)
        return self._hash_in_order(begin + start, reach, tensor)

    def _hash_in_order(self, start: int, reach: int, tensor: Stored) -> str:
        """Return the hash of values that lie in another order than that of the rows, such as a transposed matrix's."""
        import hashlib

        import numpy

        size = _size_of(tensor.dtype)
        values = numpy.frombuffer(self._file.read(start, reach * size), numpy.dtype((numpy.void, size)))
        strides = [stride * size for stride in tensor.strides]
        view = numpy.lib.stride_tricks.as_strided(values, tensor.shape, strides, writeable=False)
        digest = hashlib.sha256()
        for block in numpy.nditer(view, ["external_loop", "buffered"], order="C", buffersize=BLOCK_VALUES):
            ordered = numpy.asarray(block)
            self._file.spend("bytes", ordered.nbytes)
            digest.update(ordered.tobytes())
        return digest.hexdigest()


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
    digits = dtype[:100].partition("_")[0]  # of "float8_e4m3fn"
    found = next((size for bits, size in BYTES_BY_BITS if digits.endswith(bits)), None)
    if found is None:
        raise ValueError(f"values of the type {dtype[:100]!r} have an unknown size")
    return found
