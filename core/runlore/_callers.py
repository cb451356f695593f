"""Whose code calls: the user's own, or a library's. Asked at each call of a function that we follow, so it is fast."""

import os

TYPE_CHECKING = False  # neither `typing` nor `functools` is imported here: every Python of a program imports this
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

# The file of our frames between a caller and the called. Warnings pass over a name with importlib and _bootstrap in it,
# compilers of Python's frames one that begins with <frozen importlib.
UNSEEN = "<frozen importlib._bootstrap, as it were: runlore>"
LIBRARY = os.path.dirname(os.__file__) + os.sep  # noqa: PTH120  # Python's own; it is imported as each Python starts
INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")
MAX_KNOWN = 4096  # files
OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep  # noqa: PTH100, PTH120  # where it is not installed


def is_users(frame: "FrameType | None", passing: "tuple[str, ...]" = ()) -> bool:
    """Return True if a frame is of code that is neither installed nor Python's own.

    Library functions of some names are passed over: they are `passing` the user's call on.
    """
    while frame is not None:
        code = frame.f_code
        if code.co_filename != UNSEEN:
            if _known[code.co_filename]:
                return True
            if code.co_name not in passing:
                return False
        frame = frame.f_back
    return False


def is_users_call(frame: "FrameType | None", owner: "Any") -> bool:
    """Return True if the user's own code calls a method of an object, by whatever other methods of it."""
    while frame is not None:
        code = frame.f_code
        if code.co_filename != UNSEEN:
            if _known[code.co_filename]:
                return True
            if not code.co_argcount or frame.f_locals.get(code.co_varnames[0]) is not owner:
                return False
        frame = frame.f_back
    return False


def is_users_file(name: str) -> bool:
    """Return True if the source file of some code is neither installed nor Python's own: a script, a cell, a string."""
    return _known[name]


def is_users_function(function: "Any") -> bool:
    """Return True if a function, below all decorators that tell what they wrap, is of the user's own code."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    code = getattr(function, "__code__", None)
    return code is not None and is_users_file(code.co_filename)


def is_users_module(module: "Any") -> bool:
    """Return True if a module lies in a file of the user's own code."""
    name = getattr(module, "__file__", None)
    return isinstance(name, str) and is_users_file(name)


class Substitute:
    """Stands for a function in C, which is no method of a class that holds it; called as a subclass says."""

    def __init__(self, function: "Any") -> None:
        self.__wrapped__ = function
        for name in ("__name__", "__qualname__", "__module__", "__doc__"):
            setattr(self, name, getattr(function, name, None))

    def __reduce__(self) -> str:
        return str(self.__qualname__)  # by its name, as any function

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return self is other or other == self.__wrapped__  # as in `os.rename in os.supports_dir_fd`

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.__wrapped__)  # as for a class

    def __subclasscheck__(self, subclass: type) -> bool:
        return issubclass(subclass, self.__wrapped__)

    def __mro_entries__(self, bases: "tuple[object, ...]") -> "tuple[object, ...]":
        return (self.__wrapped__,)

    def __getattr__(self, name: str) -> "Any":
        return getattr(self.__dict__["__wrapped__"], name)


class _Known(dict[str, bool]):
    """Remembers of files whose code they hold, as `functools.lru_cache` would."""

    def __missing__(self, name: str) -> bool:
        if len(self) >= MAX_KNOWN:
            self.clear()
        found = not name.startswith((LIBRARY, OURS, "<frozen")) and not any(part in name for part in INSTALLED)
        self[name] = found
        return found


_known = _Known()
