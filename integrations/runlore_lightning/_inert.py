"""Read pickles of torch without executing anything: only dicts, lists, records of tensors and modules are made.

For any other class or function that a pickle names there is an inert stand-in; nothing is imported or called.
"""

import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Self

from runlore.hookspecs import ModelFile

DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
MAX_MODULES = 100_000  # in one tree of modules; hostile ones hold each other
MAX_DEPTH = 100  # of modules within modules
MAX_ARGUMENTS = 16  # of a function that a file names
LONG_NAME = 100  # characters of a key that cost a step
READS = 4096  # of the unpickler, which reads once or more for each operation, that are charged together


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor: the key of its storage, the value that it begins with, its shape and strides (in values)."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Inert:
    """Stands for a class or function that a file names, and for its instances; takes everything, does nothing.

    `state` is the attributes of an object according to the file; those of a module have parameters, buffers, modules.
    """

    state: Mapping[Any, Any] = {}

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> "Inert":
        return self

    def append(self, item: object) -> None:
        """Ignore an item of a list-like object."""

    def extend(self, items: object) -> None:
        """Ignore items of a list-like object."""

    def tensors(self, file: ModelFile) -> dict[str, Stored]:
        """Return the tensors of a module by the names of its state dict; {} where this is no module.

        Raises:
            ValueError: there are too many modules, or they lie too deep.
        """
        found: dict[str, Stored] = {}
        waiting: list[tuple[str, Inert, int]] = [("", self, 0)]
        for _ in range(MAX_MODULES):
            if not waiting:
                return found
            prefix, module, depth = waiting.pop()
            for name, item in module._own(file):
                if isinstance(item, Stored):
                    file.spend("names", len(prefix) + len(name))
                    found[prefix + name] = item
            inner = [(name, item) for name, item in module._modules(file) if isinstance(item, Inert)]
            if inner and depth == MAX_DEPTH:
                break
            for name, item in inner:
                file.spend("names", len(prefix) + len(name))
                waiting.append((f"{prefix}{name}.", item, depth + 1))
        raise ValueError("it has more modules than a model has")

    def _own(self, file: ModelFile) -> Iterator[tuple[str, Any]]:
        aside = self.state.get("_non_persistent_buffers_set")
        names = aside.names if isinstance(aside, Names) else frozenset()
        for part in ("_parameters", "_buffers"):
            yield from ((name, item) for name, item in _items(self.state.get(part), file) if name not in names)

    def _modules(self, file: ModelFile) -> Iterator[tuple[str, Any]]:
        yield from _items(self.state.get("_modules"), file)


class Names(Inert):
    """A set; only the texts in it are kept."""

    names: frozenset[str] | set[str] = frozenset()

    def __init__(self, items: object = (), *_: object) -> None:
        self.add_texts(items)

    def add_texts(self, items: object) -> None:
        """Keep those items that are texts."""
        if isinstance(items, list):
            self.names = self.names or set()
            self.names |= {item for item in items if isinstance(item, str)}


def _items(found: Any, file: ModelFile) -> Iterator[tuple[str, Any]]:
    if isinstance(found, dict):
        file.spend("steps", len(found))
        yield from ((name, item) for name, item in found.items() if isinstance(name, str))


class _Dict(dict[Any, Any]):
    """An OrderedDict, or a defaultdict without its factory; the pickle puts the items in afterwards."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        super().__init__()


class _Named(Inert):
    """A global of torch, such as a dtype, of which the name matters."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name


class _Storage(NamedTuple):
    key: str
    dtype: str


class _Of:
    """Makes what a file may have made of its arguments, charged to the budget of the file."""

    def __init__(self, file: ModelFile) -> None:
        self._file = file
        self._makers: Mapping[tuple[str, str], Callable[..., Any]] = {
            ("builtins", "set"): self._names,
            ("__builtin__", "set"): self._names,
            ("collections", "OrderedDict"): _Dict,
            ("collections", "defaultdict"): _Dict,
            ("torch", "Size"): self._size,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_tensor_v3"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): self._first,
            ("torch._utils", "_rebuild_parameter_with_state"): self._first,
            ("torch._tensor", "_rebuild_from_type_v2"): self._of_type,
        }
        self._known = {id(maker) for maker in self._makers.values()}

    def find(self, module: str, name: str) -> Any:
        """Return a maker, or a stand-in; nothing is looked up, let alone imported."""
        found = self._makers.get((module, name))
        if found is not None:
            return found
        return _Named(name) if module == "torch" else Inert

    def make(self, maker: Any, arguments: Any) -> Any:
        """Return what a maker makes of a tuple of arguments; a stand-in for what any other function would."""
        if id(maker) not in self._known or type(arguments) is not tuple:
            return Inert()
        if len(arguments) > MAX_ARGUMENTS:
            raise ValueError("it has a function of many arguments")
        return maker(*arguments)

    def _names(self, items: object = (), *_: object) -> Names:
        self._file.spend("steps", len(items) if isinstance(items, list) else 1)
        return Names(items)

    def _size(self, lengths: Any = ()) -> tuple[int, ...]:
        return self._file.shape(lengths)

    def _tensor(self, storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
        """Return the arguments of `_rebuild_tensor_v2` or `_v3` as a record; the latter names the dtype."""
        if not isinstance(storage, _Storage):
            return Inert()
        (first,), lengths, steps = self._file.shape([offset]), self._file.shape(shape), self._file.shape(strides)
        if len(lengths) != len(steps):
            raise ValueError("a tensor has other strides than lengths")
        named = next((item.name for item in rest if isinstance(item, _Named)), "")
        return Stored(storage.key, named or storage.dtype, first, lengths, steps)

    def _first(self, tensor: Any, *_: object) -> Any:
        """Return the tensor of a parameter."""
        return tensor

    def _of_type(self, rebuild: Any, kind: object, arguments: Any, *_: object) -> Any:
        """Return the plain tensor of one that has a class of its own, or attributes."""
        return self.make(rebuild, arguments) if rebuild in (self._tensor, self._first) else Inert()


class Charged(io.BytesIO):
    """Bytes of a pickle; reading them is charged to the budget of the file."""

    def __init__(self, content: bytes, file: ModelFile) -> None:
        super().__init__(content)
        self._file = file
        self._reads = 0

    def read(self, count: int | None = -1) -> bytes:
        self._reads += 1
        if self._reads % READS == 0:
            self._file.spend("steps", READS)
        return super().read(count)


class Reader(pickle._Unpickler):
    """The unpickler in Python: that in C allocates as many places as a file claims to need."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, content: Charged, file: ModelFile) -> None:
        super().__init__(content)
        self.storages: dict[str, str] = {}  # dtypes by key
        self._file = file
        self._of = _Of(file)

    stack: list[Any]  # this and the next ones are of the base class
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]
    read: Callable[[int], bytes]
    readline: Callable[[], bytes]

    def find_class(self, module: str, name: str) -> Any:
        """Return what makes the objects of a class; nothing is looked up, let alone imported."""
        return self._of.find(module, name)

    def persistent_load(self, pid: Any) -> Any:
        """Return the key and the dtype of a storage; in older files also a stand-in for the class of a module."""
        if type(pid) is not tuple or not 3 <= len(pid) <= MAX_ARGUMENTS:
            raise ValueError("a storage has no key")
        what, kind, key = pid[:3]
        if what == "module":
            return Inert
        if not isinstance(key, str | int):
            raise ValueError("a storage has no key")
        found = _Storage(str(key), DTYPES.get(kind.name, "") if isinstance(kind, _Named) else "")
        self._file.spend("names", len(found.key))
        self.storages[found.key] = found.dtype
        return found

    # Instead of operations that set attributes, hash objects of the file's making, or allocate as the file likes

    def _take_state(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert) and isinstance(state, dict):
            self.stack[-1].state = state

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._put(self.stack[-1], [key, value])

    def _set_items(self) -> None:
        items = self.pop_mark()
        self._put(self.stack[-1], items)

    def _make_dict(self) -> None:
        found: dict[Any, Any] = {}
        self._put(found, self.pop_mark())
        self.append(found)

    def _make_set(self) -> None:
        self.append(Names())

    def _add_items(self) -> None:
        items = self.pop_mark()
        if isinstance(self.stack[-1], Names):
            self.stack[-1].add_texts(items)

    def _make_frozen_set(self) -> None:
        self.pop_mark()
        self.append(Inert())

    def _reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._of.make(self.stack[-1], arguments)

    def _reduce_with_words(self) -> None:
        self.stack.pop()
        self._reduce()

    def _make_instance(self) -> None:
        module, name = (self.readline()[:-1].decode("ascii") for _ in range(2))
        self.append(self._of.make(self._of.find(module, name), tuple(self.pop_mark())))

    def _make_object(self) -> None:
        maker, *arguments = self.pop_mark()
        self.append(self._of.make(maker, tuple(arguments)))

    def _skip_frame_head(self) -> None:
        self.read(8)

    def _put(self, target: Any, items: list[Any]) -> None:
        """Put items into a dict, as far as their keys are plain."""
        if isinstance(target, dict):
            for key, value in zip(items[::2], items[1::2], strict=True):
                if isinstance(key, str):
                    self._file.spend("steps", len(key) // LONG_NAME)
                    target[key] = value
                elif type(key) in (int, float) and abs(key) < 1 << 63:
                    target[key] = value

    def _refuse(self) -> None:
        raise ValueError("it uses an operation that files of weights don't need")

    for _operation, _own in (
        (pickle.REDUCE, _reduce),
        (pickle.NEWOBJ, _reduce),
        (pickle.NEWOBJ_EX, _reduce_with_words),
        (pickle.INST, _make_instance),
        (pickle.OBJ, _make_object),
        (pickle.FRAME, _skip_frame_head),
        (pickle.BUILD, _take_state),
        (pickle.SETITEM, _set_item),
        (pickle.SETITEMS, _set_items),
        (pickle.DICT, _make_dict),
        (pickle.EMPTY_SET, _make_set),
        (pickle.ADDITEMS, _add_items),
        (pickle.FROZENSET, _make_frozen_set),
        (pickle.BYTEARRAY8, _refuse),
        (pickle.NEXT_BUFFER, _refuse),
        (pickle.READONLY_BUFFER, _refuse),
        (pickle.EXT1, _refuse),
        (pickle.EXT2, _refuse),
        (pickle.EXT4, _refuse),
    ):
        dispatch[_operation[0]] = _own
