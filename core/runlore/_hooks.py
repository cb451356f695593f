"""The implementations of hooks: our own plugins are few and plain; once there are others, pluggy is asked."""

import threading
from collections.abc import Sequence
from types import FunctionType, MethodType, ModuleType
from typing import TYPE_CHECKING, Any

from runlore import hookspecs
from runlore._frozen import Frozen, late

if TYPE_CHECKING:
    import pluggy

PROJECT = "runlore"
MARK = f"{PROJECT}_impl"  # the attribute that `hookimpl` gives a function
HOOKS = tuple(sorted(name for name in vars(hookspecs) if name.startswith(f"{PROJECT}_")))
FUNCTIONS = (FunctionType, MethodType)


@late
class Implementation(Frozen):
    """A function of a plugin that implements a hook, with the names of the arguments that it takes."""

    plugin_name: str
    function: Any
    argnames: tuple[str, ...]


class Hooks:
    """Holds plugins, and what they implement in pluggy's order: as registered, but those marked `trylast` first.

    pluggy takes a quarter of the time of a first start, mostly to import `inspect`. So our own plugins, which need none
    of its checks and no option but `trylast`, stand in plain lists until somebody else's is registered; from then on
    pluggy has them all. Threads may share it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._plugins: list[tuple[Any, str]] = []  # in the order of their registration, until pluggy has them
        self._plain: dict[str, list[Implementation]] = {}
        self._manager: pluggy.PluginManager | None = None

    def register(self, plugin: Any, name: str, *, is_own: bool = False) -> list[str]:
        """Add a plugin, and return the names of its hooks, known or not.

        Raises:
            ValueError: it is registered already, or another one of that name.
            pluggy.PluginValidationError: a hook of it takes an argument of an unknown name.
        """
        with self._lock:
            is_known = any(plugin is known or name == its for known, its in self._plugins)
            if is_own and self._manager is None and not is_known:
                return self._register_plain(plugin, name)
            manager = self.manager
            manager.register(plugin, name)
            return [caller.name for caller in manager.get_hookcallers(plugin) or ()]

    def unregister(self, plugin: Any) -> None:
        """Remove a plugin that was registered."""
        with self._lock:
            self.manager.unregister(plugin)

    def implementations(self, hook: str) -> "Sequence[Implementation | pluggy.HookImpl]":
        """Return what implements a hook; what is called first stands last."""
        if self._manager is None:
            return tuple(self._plain.get(hook, ()))
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()

    @property
    def manager(self) -> "pluggy.PluginManager":
        """pluggy's manager, which has all plugins from now on."""
        with self._lock:
            if self._manager is None:
                manager = _manager()
                for plugin, name in self._plugins:
                    manager.register(plugin, name)
                self._manager = manager
            return self._manager

    def _register_plain(self, plugin: Any, name: str) -> list[str]:
        self._plugins.append((plugin, name))
        found = []
        for hook in HOOKS:
            function: Any = getattr(plugin, hook, None)
            options = getattr(function, MARK, None) if type(function) in FUNCTIONS else None
            if options is None:
                continue
            code = function.__code__
            names = code.co_varnames[isinstance(function, MethodType) : code.co_argcount]
            others = self._plain.setdefault(hook, [])
            others.insert(0 if options["trylast"] else len(others), Implementation(name, function, names))
            found.append(hook)
        return found


def _manager() -> "pluggy.PluginManager":
    """Return a manager that asks only what can be a hook: a static look at each name of each plugin takes long."""
    import pluggy

    class Manager(pluggy.PluginManager):
        def parse_hookimpl_opts(self, plugin: Any, name: str) -> "pluggy.HookimplOpts | None":
            if name.startswith("__"):
                return None
            if type(plugin) is ModuleType:
                value = vars(plugin).get(name)
                if type(value) not in FUNCTIONS or (type(value) is FunctionType and MARK not in vars(value)):
                    return None
            return super().parse_hookimpl_opts(plugin, name)

        def parse_hookspec_opts(self, module_or_class: Any, name: str) -> "pluggy.HookspecOpts | None":
            return super().parse_hookspec_opts(module_or_class, name) if name in HOOKS else None

    manager = Manager(PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager
