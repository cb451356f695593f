"""Read pickles of torch without executing anything: only dicts, lists, records of tensors and modules are made.

For any other class or function that a pickle names there is an inert stand-in; nothing is imported or called.
"""

import pickle
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any, ClassVar, Self

DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
MAX_MODULES = 100_000  # in one tree of modules; hostile ones hold each other
MAX_DEPTH = 100  # of modules within modules


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

    def tensors(self) -> dict[str, Stored]:
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
            found |= {prefix + name: item for name, item in module._own() if isinstance(item, Stored)}
            inner = [(name, item) for name, item in module._modules() if isinstance(item, Inert)]
            if inner and depth == MAX_DEPTH:
                break
            waiting += [(f"{prefix}{name}.", item, depth + 1) for name, item in inner]
        raise ValueError("it has more modules than a model has")

    def _own(self) -> Iterator[tuple[str, Any]]:
        aside = self.state.get("_non_persistent_buffers_set")
        names = aside.names if isinstance(aside, Names) else frozenset()
        for part in ("_parameters", "_buffers"):
            yield from ((name, item) for name, item in _items(self.state.get(part)) if name not in names)

    def _modules(self) -> Iterator[tuple[str, Any]]:
        yield from _items(self.state.get("_modules"))


class Names(Inert):
    """A set; only the texts in it are kept."""

    def __init__(self, items: object = (), *_: object) -> None:
        self.names: set[str] = set()
        self.add_texts(items)

    def add_texts(self, items: object) -> None:
        """Keep those items that are texts."""
        if isinstance(items, list):
            self.names.update(item for item in items if isinstance(item, str))


def _items(found: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(found, dict):
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


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *rest: Any) -> Any:
    """Return the arguments of `_rebuild_tensor_v2` or `_v3` as a record; the latter names the dtype."""
    if not isinstance(storage, tuple):
        return Inert()
    key, dtype = storage
    named = next((item.name for item in rest if isinstance(item, _Named)), "")
    return Stored(key, named or dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _first(tensor: Any, *_: object) -> Any:
    """Return the tensor of a parameter."""
    return tensor


def _of_type(rebuild: Any, kind: object, arguments: Any, *_: object) -> Any:
    """Return the plain tensor of one that has a class of its own, or attributes."""
    return rebuild(*arguments) if rebuild in (_tensor, _first) else Inert()


KNOWN: Mapping[tuple[str, str], Any] = {
    ("builtins", "set"): Names,
    ("__builtin__", "set"): Names,
    ("collections", "OrderedDict"): _Dict,
    ("collections", "defaultdict"): _Dict,
    ("torch", "Size"): tuple,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_type,
}


class Reader(pickle._Unpickler):
    """The unpickler in Python: that in C allocates as many places as a file claims to need."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, str] = {}  # dtypes by key

    stack: list[Any]  # this and the next two are of the base class
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in; nothing is looked up, let alone imported."""
        known = KNOWN.get((module, name))
        if known is not None:
            return known
        return _Named(name) if module == "torch" else Inert

    def persistent_load(self, pid: Any) -> Any:
        """Return the key and the dtype of a storage; in older files also a stand-in for the class of a module."""
        what, kind, key, *_ = pid
        if what == "module":
            return Inert
        if not isinstance(key, str | int):
            raise ValueError("a storage has no key")
        found = str(key), DTYPES.get(getattr(kind, "name", ""), "")
        self.storages.update([found])
        return found

    # Instead of operations that set attributes, hash objects of the file's making, or allocate as the file likes

    def _take_state(self) -> None:
        state = self.stack.pop()
        if isinstance(self.stack[-1], Inert) and isinstance(state, dict):
            self.stack[-1].state = state

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
        self.append(Names())

    def _add_items(self) -> None:
        items = self.pop_mark()
        if isinstance(self.stack[-1], Names):
            self.stack[-1].add_texts(items)

    def _make_frozen_set(self) -> None:
        self.pop_mark()
        self.append(Inert())

    def _refuse(self) -> None:
        raise ValueError("it uses an operation that files of weights don't need")

    for _operation, _own in (
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


def _put(target: Any, items: list[Any]) -> None:
    """Put items into a dict, as far as their keys are plain."""
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, str | int | float):
                target[key] = value
