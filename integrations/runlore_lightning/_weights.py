"""The tensors of a file of `torch.save`, such as a Lightning checkpoint, read without torch and without its classes.

The file is a zip archive: `<name>/data.pkl` says which tensors there are, `<name>/data/<key>` holds their values. The
pickle is read by an unpickler that can make dicts, lists and records of tensors, and nothing else: whatever other class
or function it names is an inert stand-in, imported and called by nobody.
"""

import hashlib
import io
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from runlore.hookspecs import Tensor

MOST_PICKLE = 64 << 20  # bytes of data.pkl; that of a model with 100,000 tensors is 10 MB
MOST_EXPANDED = 64 << 20  # bytes that tensors may have beyond those of the file, as expanded ones do
DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
BITS = (("128", 16), ("64", 8), ("32", 4), ("16", 2), ("8", 1))  # digits of a type's name and the bytes of a value


def read(path: Path) -> Mapping[str, Sequence[Tensor]] | None:
    """The sets of tensors by where they stand in the file; None where it is no file of `torch.save`.

    Raises:
        Exception: it is one, and can't be understood; a damaged or hostile file may make any operation fail.
    """
    if not zipfile.is_zipfile(path):
        return None
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
        tree = _Reader(io.BytesIO(archive.read(f"{root}data.pkl"))).load()
    values = _Values(path, {name.removeprefix(f"{root}data/"): item for name, item in entries.items()})
    return {name: [values.described(key, tensor) for key, tensor in found.items()] for name, found in _sets(tree)}


def _sets(tree: Any) -> Iterator[tuple[str, "dict[str, _Stored]"]]:
    """Dicts of tensors by name: the file itself, and what it holds under a name, but for the states of optimizers."""
    if not isinstance(tree, dict):
        return
    for place, found in {"": tree, **tree}.items():
        if isinstance(found, dict) and isinstance(place, str) and "optim" not in place.lower():
            tensors = {key: item for key, item in found.items() if isinstance(key, str) and isinstance(item, _Stored)}
            if tensors:
                yield place, tensors


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor: which storage, from which value on, in what shape."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Values:
    """The values of tensors, read where they lie in the file."""

    def __init__(self, path: Path, entries: Mapping[str, zipfile.ZipInfo]) -> None:
        import numpy

        self._content = numpy.memmap(path, numpy.uint8, "r")
        self._entries = entries

    def described(self, name: str, tensor: _Stored) -> Tensor:
        import numpy

        size = _size_of(tensor.dtype)
        entry = self._entries.get(tensor.key)
        if entry is None or entry.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"the values of {name!r} are not there")
        names, extra = struct.unpack_from(
            "<HH", self._content.data, entry.header_offset + 26
        )  # of the zip's local header
        begin = entry.header_offset + 30 + names + extra
        reach = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides, strict=True)) + 1
        reach = reach if math.prod(tensor.shape) else 0
        start = begin + tensor.offset * size
        if min((tensor.offset, *tensor.shape, *tensor.strides)) < 0 or start + reach * size > begin + entry.file_size:
            raise ValueError(f"{name!r} reaches beyond its values")
        if math.prod(tensor.shape) * size > MOST_EXPANDED + len(self._content):
            raise ValueError(f"{name!r} has more values than the file")
        values = self._content[start : start + reach * size]
        if reach and not _is_plain(tensor):
            rows = values.view(numpy.dtype((numpy.void, size)))
            strides = [stride * size for stride in tensor.strides]
            values = numpy.ascontiguousarray(numpy.lib.stride_tricks.as_strided(rows, tensor.shape, strides))
        return Tensor(name, tensor.dtype, tensor.shape, hashlib.sha256(values.view(numpy.uint8).data).hexdigest())


def _is_plain(tensor: _Stored) -> bool:
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


# The pickle


class _Inert:
    """Stands for whatever class or function a file names; takes everything, does nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> "_Inert":
        return self

    def append(self, item: object) -> None:
        """Take an item of a list-like object."""

    def extend(self, items: object) -> None:
        """Take items of a list-like object."""


class _Dict(dict[Any, Any]):
    """An OrderedDict or a defaultdict, whose factory is left out; its items follow."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        super().__init__()


class _Named(_Inert):
    """A global whose name tells something: a type of values, say."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *rest: Any) -> Any:
    """What `_rebuild_tensor_v2` and `_rebuild_tensor_v3` are given, as a record; the latter names the type."""
    if not isinstance(storage, tuple):
        return _Inert()
    key, dtype = storage
    named = next((item.name for item in rest if isinstance(item, _Named)), "")
    return _Stored(key, named or dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _first(tensor: Any, *_: object) -> Any:
    """A parameter is its tensor."""
    return tensor


def _of_type(rebuild: Any, kind: object, arguments: Any, *_: object) -> Any:
    """A tensor of a class of its own, or with attributes, is the plain one."""
    return rebuild(*arguments) if rebuild in (_tensor, _first) else _Inert()


KNOWN: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _Dict,
    ("collections", "defaultdict"): _Dict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
}


class _Reader(pickle._Unpickler):
    """In Python, not in C: the one in C makes room for as many values as the file says that it has."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]  # these three are the base's own
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        """Nothing is looked up, let alone imported."""
        known = KNOWN.get((module, name))
        if known is not None:
            return known
        return _Named(name) if module == "torch" else _Inert

    def persistent_load(self, pid: Any) -> Any:
        """A storage: its key and the type of its values."""
        _, kind, key, *_ = pid
        if not isinstance(key, str | int):
            raise ValueError("a storage has no key")
        return str(key), DTYPES.get(getattr(kind, "name", ""), "")

    # Operations that would set attributes, hash what a file has made up, or make room as it likes

    def _skip_state(self) -> None:
        self.stack.pop()

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        _put(self.stack[-1], [key, value])

    def _set_items(self) -> None:
        items = self.pop_mark()
        _put(self.stack[-1], items)

    def _make_dict(self) -> None:
        found: dict[Any, Any] = {}
        _put(found, self.pop_mark())
        self.append(found)

    def _make_set(self) -> None:
        self.append(_Inert())

    def _skip_items(self) -> None:
        self.pop_mark()

    def _make_frozen_set(self) -> None:
        self.pop_mark()
        self.append(_Inert())

    def _refuse(self) -> None:
        raise ValueError("it uses an operation that files of weights don't need")

    for _operation, _own in (
        (pickle.BUILD, _skip_state),
        (pickle.SETITEM, _set_item),
        (pickle.SETITEMS, _set_items),
        (pickle.DICT, _make_dict),
        (pickle.EMPTY_SET, _make_set),
        (pickle.ADDITEMS, _skip_items),
        (pickle.FROZENSET, _make_frozen_set),
        (pickle.BYTEARRAY8, _refuse),
        (pickle.NEXT_BUFFER, _refuse),
        (pickle.READONLY_BUFFER, _refuse),
        (pickle.EXT1, _refuse),
        (pickle.EXT2, _refuse),
        (pickle.EXT4, _refuse),
    ):
        dispatch[_operation[0]] = _own


def _put(target: Any, items: list[Any]) -> None:
    """Items of a dict, as far as their keys are plain."""
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, str | int | float):
                target[key] = value
