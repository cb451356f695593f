"""Read pickles of torch without executing anything: into what `_inert` has for them."""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

from runlore.hookspecs import ModelFile
from runlore_lightning._inert import MAX_ARGUMENTS, Inert, Named, Names, Of, Storage

DTYPES = {
    "FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16", "BFloat16Storage": "bfloat16",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8",
    "ByteStorage": "uint8", "BoolStorage": "bool", "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}  # fmt: skip
LONG_NAME = 100  # characters of a key that cost a step
READS = 4096  # of the unpickler, which reads once or more for each operation, that are charged together


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
        self._of = Of(file)

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
        found = Storage(str(key), DTYPES.get(kind.name, "") if isinstance(kind, Named) else "")
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
