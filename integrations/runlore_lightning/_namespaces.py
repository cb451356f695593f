"""Lightning has two names, `lightning.pytorch` and `pytorch_lightning`, with classes of their own."""

import inspect
import sys
from importlib import import_module
from typing import Any

from runlore import guest

NAMESPACES = ("lightning.pytorch", "pytorch_lightning")
TESTED = ("2.6",)

_completed: dict[tuple[type, tuple[type, ...]], type] = {}
_checked: set[str] = set()


def complete(cls: type, module: str, base: str) -> type:
    """`cls` as a subclass of what each namespace that is loaded calls `base`, as its Trainer may ask for that.

    Where none is loaded, one is imported.

    Raises:
        ImportError: Lightning is not installed.
    """
    bases = tuple(getattr(import_module(f"{name}.{module}"), base) for name in _loaded())
    if issubclass(cls, bases):
        return cls
    key = cls, bases
    if key not in _completed:
        names: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
        _completed[key] = type(cls.__name__, (cls, *bases), names | {"__doc__": cls.__doc__, "_plain": cls})
    return _completed[key]


def plain(cls: type) -> type:
    """The class that `complete` was given, which can be found by its name."""
    found: type = vars(cls).get("_plain", cls)
    return found


def revive(cls: Any) -> Any:
    """What was pickled or copied, complete for the namespaces that are loaded here; its state comes after."""
    return cls.__new__(cls)


def signature_of(cls: Any) -> inspect.Signature:
    """The arguments of a class that are those of its `__init__`."""
    found = inspect.signature(cls.__init__)
    return found.replace(parameters=list(found.parameters.values())[1:])


def _loaded() -> list[str]:
    found = [name for name in NAMESPACES if hasattr(sys.modules.get(name), "Trainer")]
    if not found:
        found = [_import_one()]
    for name in found:
        _check_version(name)
    return found


def _import_one() -> str:
    for name in NAMESPACES:
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):
                raise
        else:
            return name
    raise ImportError("Lightning is not installed: pip install 'runlore[lightning]'")


def _check_version(name: str) -> None:
    version = str(getattr(sys.modules[name.partition(".")[0]], "__version__", ""))
    if version not in _checked and ".".join(version.split(".")[:2]) not in TESTED:
        guest.warn(f"Lightning {version} is not tested with runlore: it may record less than usual")
    _checked.add(version)
