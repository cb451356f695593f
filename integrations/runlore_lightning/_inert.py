"""A reader of pickles that makes dicts, lists, records of tensors and what modules hold, and nothing else.

Whatever other class or function a pickle names is an inert stand-in, imported and called by nobody.
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
MOST_MODULES = 100_000  # in one tree of modules; hostile ones hold each other
DEEPEST = 100  # modules within modules


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor: which storage, from which value on, in what shape."""

    key: str
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class Inert:
    """Stands for whatever class or function a file names; takes everything, does nothing.

    `state` is what the file says that an object holds; of a module, its parameters, buffers and modules.
    """

    state: Mapping[Any, Any] = {}

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> "Inert":
        return self

    def append(self, item: object) -> None:
        """Take an item of a list-like object."""

    def extend(self, items: object) -> None:
        """Take items of a list-like object."""

    def tensors(self) -> dict[str, Stored]:
        """What the state dict of a module has; nothing where it is none.

        Raises:
            ValueError: there are too many modules.
        """
        found: dict[str, Stored] = {}
        waiting: list[tuple[str, Inert, int]] = [("", self, 0)]
        for _ in range(MOST_MODULES):
            if not waiting:
                return found
            prefix, module, depth = waiting.pop()
            found |= {prefix + name: item for name, item in module._own() if isinstance(item, Stored)}
            inner = [(name, item) for name, item in module._modules() if isinstance(item, Inert)]
            if inner and depth == DEEPEST:
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
    """A set, of which only texts are kept."""

    def __init__(self, items: object = (), *_: object) -> None:
        self.names: set[str] = set()
        self.add_texts(items)

    def add_texts(self, items: object) -> None:
        """Take items."""
        if isinstance(items, list):
            self.names.update(item for item in items if isinstance(item, str))


def _items(found: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(found, dict):
        yield from ((name, item) for name, item in found.items() if isinstance(name, str))


class _Dict(dict[Any, Any]):
    """An OrderedDict or a defaultdict, whose factory is left out; its items follow."""

    def __new__(cls, *_: object) -> Self:
        return super().__new__(cls)

    def __init__(self, *_: object) -> None:
        super().__init__()


class _Named(Inert):
    """A global whose name tells something: a type of values, say."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name


def _tensor(storage: Any, offset: int, shape: Any, strides: Any, *rest: Any) -> Any:
    """What `_rebuild_tensor_v2` and `_rebuild_tensor_v3` are given, as a record; the latter names the type."""
    if not isinstance(storage, tuple):
        return Inert()
    key, dtype = storage
    named = next((item.name for item in rest if isinstance(item, _Named)), "")
    return Stored(key, named or dtype, int(offset), tuple(map(int, shape)), tuple(map(int, strides)))


def _first(tensor: Any, *_: object) -> Any:
    """A parameter is its tensor."""
    return tensor


def _of_type(rebuild: Any, kind: object, arguments: Any, *_: object) -> Any:
    """A tensor of a class of its own, or with attributes, is the plain one."""
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
    """In Python, not in C: the one in C makes room for as many values as the file says that it has."""

    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.storages: dict[str, str] = {}  # the types of their values, by key

    stack: list[Any]  # these three are the base's own
    append: Callable[[Any], None]
    pop_mark: Callable[[], list[Any]]

    def find_class(self, module: str, name: str) -> Any:
        """Nothing is looked up, let alone imported."""
        known = KNOWN.get((module, name))
        if known is not None:
            return known
        return _Named(name) if module == "torch" else Inert

    def persistent_load(self, pid: Any) -> Any:
        """A storage: its key and the type of its values; in older files also the class of a module."""
        what, kind, key, *_ = pid
        if what == "module":
            return Inert
        if not isinstance(key, str | int):
            raise ValueError("a storage has no key")
        found = str(key), DTYPES.get(getattr(kind, "name", ""), "")
        self.storages.update([found])
        return found

    # Operations that would set attributes, hash what a file has made up, or make room as it likes

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
    """Items of a dict, as far as their keys are plain."""
    if isinstance(target, dict):
        for key, value in zip(items[::2], items[1::2], strict=True):
            if isinstance(key, str | int | float):
                target[key] = value
