"""The program that this process stands for: what is captured of it is looked for in its modules, not in ours.

`runlore run` stands so for what it starts, which may not live long enough to tell of itself.
"""

import sys
from collections.abc import Mapping
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
    modules = process.part(StandIn).modules
    if modules is not None:
        return modules.get(name, {})
    module = sys.modules.get(name)
    return vars(module) if isinstance(module, ModuleType) else {}


def called() -> list[str]:
    """Return how Python was called, its own name first."""
    part = process.part(StandIn)
    return sys.orig_argv if part.modules is None else part.called
