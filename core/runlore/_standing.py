"""The program that this process stands for: what is captured of it is looked for in its modules, not in ours.

`runlore run` stands so for what it starts, which may not live long enough to tell of itself.
"""

import sys
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import ModuleType

from runlore._process import Part, process
from runlore._startup import BEGAN_AS


class StandIn(Part):
    """The modules of another process, by a name each, and how its Python was called; None where we stand for nobody."""

    def __init__(self) -> None:
        self.modules: dict[str, Mapping[str, object]] | None = None
        self.called: list[str] = []


class _Main(Part):
    """The file of the main module, as long as Python tells it."""

    inherited = True

    def __init__(self) -> None:
        self.module = _reference(sys.modules.get("__main__"))
        self.file = BEGAN_AS if isinstance(BEGAN_AS, str) else None


def main_file() -> str | None:
    """Return the file of this process's main module, also behind its last line, where Python takes that out of it.

    None where the code was typed. Whoever starts a run asks: captures may come later than that line.
    """
    part, module = process.part(_Main), sys.modules.get("__main__")
    found = getattr(module, "__file__", None)
    if isinstance(found, str) or module is not part.module() or hasattr(sys, "ps1"):
        part.module, part.file = _reference(module), found if isinstance(found, str) else None
    return part.file


def _reference(module: object) -> Callable[[], object]:
    """Return what gives a module as long as Python holds it: what the script has shall end with it."""
    return weakref.ref(module) if isinstance(module, ModuleType) else lambda: module


def loaded() -> Mapping[str, object]:
    """Return all that is loaded by the names of modules, the newest last."""
    modules = process.part(StandIn).modules
    return sys.modules if modules is None else modules


def module_values(name: str) -> Mapping[str, object]:
    """Return the attributes of a loaded module; empty where there is none, or no true module, of that name."""
    return next((values for _, values in named_values([name])), {})


def named_values(names: Iterable[str]) -> Iterator[tuple[str, Mapping[str, object]]]:
    """Yield the names of those that are true modules, each with its attributes; there may be thousands."""
    modules = process.part(StandIn).modules
    if modules is not None:
        yield from ((name, modules[name]) for name in names if name in modules)
        return
    for name in names:
        module = sys.modules.get(name)
        if isinstance(module, ModuleType):
            values = vars(module)
            is_over = name == "__main__" and "__file__" not in values
            yield name, values | {"__file__": main_file()} if is_over else values


def called() -> list[str]:
    """Return how Python was called, its own name first."""
    part = process.part(StandIn)
    return sys.orig_argv if part.modules is None else part.called
