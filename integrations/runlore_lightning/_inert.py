"""The objects that pickles of torch are read into: dicts, lists, records of tensors and modules.

For any other class or function that a pickle names there is an inert stand-in; nothing is imported or called.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

from runlore.hookspecs import ModelFile

MAX_MODULES = 100_000  # in one tree of modules; hostile ones hold each other
MAX_DEPTH = 100  # of modules within modules
MAX_ARGUMENTS = 16  # of a function that a file names


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


class Named(Inert):
    """A global of torch, such as a dtype, of which the name matters."""

    def __init__(self, name: str = "", *_: object) -> None:
        self.name = name


class Storage(NamedTuple):
    """The key and the dtype of values that tensors lie in."""

    key: str
    dtype: str


class Of:
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
        return Named(name) if module == "torch" else Inert

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
        if not isinstance(storage, Storage):
            return Inert()
        (first,), lengths, steps = self._file.shape([offset]), self._file.shape(shape), self._file.shape(strides)
        if len(lengths) != len(steps):
            raise ValueError("a tensor has other strides than lengths")
        named = next((item.name for item in rest if isinstance(item, Named)), "")
        return Stored(storage.key, named or storage.dtype, first, lengths, steps)

    def _first(self, tensor: Any, *_: object) -> Any:
        """Return the tensor of a parameter."""
        return tensor

    def _of_type(self, rebuild: Any, kind: object, arguments: Any, *_: object) -> Any:
        """Return the plain tensor of one that has a class of its own, or attributes."""
        return self.make(rebuild, arguments) if rebuild in (self._tensor, self._first) else Inert()
