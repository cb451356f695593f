"""The program that this process stands for: what is captured of it is looked for in its modules, not in ours.

`runlore run` stands so for what it starts, which may not live long enough to tell of itself.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import ModuleType

from runlore._process import Part, process


class StandIn(Part):
    """The modules of another process, by a name each, and how its Python was called; None where we stand for nobody."""

    def __init__(self) -> None:
        self.modules: dict[str, Mapping[str, object]] | None = None
        self.called: list[str] = []


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
            yield name, vars(module)


def called() -> list[str]:
    """Return how Python was called, its own name first."""
    part = process.part(StandIn)
    return sys.orig_argv if part.modules is None else part.called
