"""A plugin of which every hook fails."""

import inspect
from collections.abc import Callable
from typing import Any

from runlore import hookspecs


class Failing:
    """Every hook of it raises."""


def _raise(*_: Any, **__: Any) -> Any:
    raise RuntimeError("a plugin's fault")


def _hook(name: str) -> Callable[..., Any]:
    """Return an implementation with the arguments of the hook's specification."""
    names = list(inspect.signature(getattr(hookspecs, name)).parameters)
    scope: dict[str, Any] = {"fail": _raise}
    exec(f"def {name}({', '.join(['self', *names])}): return fail()", scope)  # pluggy reads the arguments' names
    return hookspecs.hookimpl(scope[name])  # type: ignore[no-any-return]


for _name in dir(hookspecs):
    if _name.startswith("runlore_") and _name != "runlore_register_integrations":
        setattr(Failing, _name, _hook(_name))
