"""Lightning itself: the versions that were tested, its two namespaces, and the private attributes that we need.

Lightning is imported as `lightning.pytorch` or as `pytorch_lightning`; each of the two has classes of its own.
"""

import sys
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import inspect

NAME = "lightning"
NAMESPACES = ("lightning.pytorch", "pytorch_lightning")
TESTED = ("2.6",)
RANKS = "lightning_utilities.core.rank_zero"  # the module in which either namespace, and Fabric, note their rank


@cache
def check_version(version: str) -> None:
    """Warn once of a version that runlore was not tested with."""
    from runlore.guest import wrapping  # late: the plugin, which every run loads, imports this file

    wrapping.check_version("Lightning", version, TESTED)


# Classes of ours that both namespaces take for their own


def complete(cls: type, module: str, base: str) -> type:
    """Return `cls` as a subclass of `base` in each namespace that is loaded, as its Trainer may ask for that.

    Where none is loaded, one is imported.

    Raises:
        ImportError: Lightning is not installed.
    """
    bases = tuple(getattr(import_module(f"{name}.{module}"), base) for name in _loaded())
    return cls if all(issubclass(cls, base) for base in bases) else _completed(plain(cls), bases)


def plain(cls: type) -> type:
    """Return the class that `complete` was given, which pickle finds by its name."""
    found: type = vars(cls).get("_plain", cls)
    return found


def revive(cls: Any) -> Any:
    """Return an empty instance of a pickled or copied one, complete for the namespaces that are loaded here."""
    return cls.__new__(cls)


def signature_of(cls: Any) -> "inspect.Signature":
    """Return the arguments of the class's `__init__`, which its `__new__` would hide."""
    import inspect  # late: every program's start waits for this file

    found = inspect.signature(cls.__init__)
    return found.replace(parameters=list(found.parameters.values())[1:])


@cache
def _completed(cls: type, bases: tuple[type, ...]) -> type:
    names: dict[str, Any] = {"__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls.__name__, (cls, *bases), names | {"__doc__": cls.__doc__, "_plain": cls})


def loaded_namespaces() -> list[str]:
    """Return the namespaces that are imported, each to its end."""
    return [name for name in NAMESPACES if hasattr(sys.modules.get(name), "Trainer")]


def _loaded() -> list[str]:
    found = loaded_namespaces() or [_import_one()]
    for name in found:
        check_version(str(getattr(sys.modules[name.partition(".")[0]], "__version__", "")))
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


def is_leader() -> bool | None:
    """Return True in the process of global rank 0, False in others, None where no rank was set."""
    rank = getattr(getattr(sys.modules.get(RANKS), "rank_zero_only", None), "rank", None)
    return None if rank is None else rank == 0


Method = tuple[Any, str]  # of an object, and its name


def methods_of_a_fit(trainer: Any) -> list[Method]:
    """Return the public methods that tell the course of a fit, each with the object that it is tapped on.

    Raises:
        AttributeError: Lightning has changed, and one of them is gone.
    """
    strategy = trainer.strategy
    found = [
        (trainer.fit_loop, "on_advance_start"),
        (trainer, "save_checkpoint"),
        (strategy, "remove_checkpoint"),
        (strategy, "teardown"),
        (trainer.profiler, "describe"),
    ]
    for owner, name in found:
        getattr(owner, name)
    return found


# Private attributes of Lightning, each with the reason why no public one serves


def logger_connector(trainer: Any) -> Any:
    """Return the object whose `log_metrics` gives metrics to the loggers: no hook is called there, logger or not."""
    return trainer._logger_connector


def signal_connector(trainer: Any) -> Any:
    """Return the object whose `teardown` gives SIGTERM back after a fit: no hook is called behind it."""
    return trainer._signal_connector


def logged_metrics(trainer: Any) -> list[str]:
    """Return the names of the metrics that were logged; `callback_metrics` would wait for ranks that are gone."""
    return sorted(map(str, trainer._logger_connector._callback_metrics))


def loads_by_hook(trainer: Any, stage: str) -> bool:
    """Return True if a module or a data module makes the loaders of "test" or "val": nothing public tells who does."""
    loop = trainer.test_loop if stage == "test" else trainer.validate_loop
    source = getattr(loop, "_data_source", None)
    return source is not None and bool(source.is_module())


def loading_function(namespace: str) -> tuple[Any, str]:
    """Return the module and the name of what `load_from_checkpoint` calls, which itself is no plain function."""
    return import_module(f"{namespace}.core.module"), "_load_from_checkpoint"


def loop_results(loop: Any) -> Mapping[str, Any]:
    """Return what was logged in a loop, with how it is reduced over the ranks: nothing public tells that."""
    return getattr(loop, "_results", None) or {}


def checkpoint_queue(trainer: Any) -> Callable[[Callable[[], None]], object] | None:
    """Return what queues a call behind the checkpoints that AsyncCheckpointIO's thread writes; None without one.

    AsyncCheckpointIO tells nobody that a file is complete.
    """
    executor = getattr(trainer.strategy.checkpoint_io, "_executor", None)
    return None if executor is None else executor.submit
