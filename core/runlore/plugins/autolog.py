"""`runlore.autolog()`: record every supported framework, whenever it is imported."""

import os
import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from runlore._process import Part, process
from runlore._settings import FALSE, TRUE, disabled_names, setting
from runlore._startup import WATCHED, within_import
from runlore._text import closest
from runlore._warnings import report, valid_or
from runlore.errors import SettingError
from runlore.plugins.manager import plugins

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

    from runlore.hookspecs import Integration


class Autolog:
    """The frameworks that a call of `autolog()` covers; as a context manager it restores what was on before."""

    def __init__(self, integrations: "Iterable[Integration]", before: frozenset[str]) -> None:
        self._integrations = tuple(integrations)
        self._before = before

    @property
    def names(self) -> list[str]:
        """Names of the frameworks."""
        return sorted(item.name for item in self._integrations)

    def disable(self) -> None:
        """Switch recording off: restore every wrapped attribute, and wrap nothing that is imported later."""
        process.part(_Switches).disable(self._integrations)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process.part(_Switches).disable(item for item in self._integrations if item.name not in self._before)

    def __repr__(self) -> str:
        return f"<Autolog {', '.join(self.names) or 'nothing'}>"


def autolog(*frameworks: str, without: Iterable[str] = ()) -> Autolog:
    """Record every training call of the named frameworks, or of all but some; a second call changes nothing.

    The names are those of RUNLORE_AUTOLOG, and those of `without` are those of RUNLORE_DISABLED. Works before and after
    a framework is imported, and imports none itself. Figures, data and other files of a script ("matplotlib",
    "pickle", …) are recorded where they are named; docs/no-code.md lists them.

    Raises:
        SettingError: no installed plugin records a framework of that name.
    """
    found = _integrations()
    left_out = frozenset([without] if isinstance(without, str) else without)
    for name in (*frameworks, *left_out):
        _check_known(name, found)
    disabled = valid_or(frozenset[str](), disabled_names) | left_out
    chosen = [
        item
        for item in found.values()
        if (item.name in frameworks if frameworks else item.trains) and not disabled & {item.name, "all"}
    ]
    brought = {name for item in chosen for name in item.brings} - disabled - {item.name for item in chosen}
    chosen += [found[name] for name in sorted(brought) if name in found]
    switches = process.part(_Switches)
    if switches.is_told:  # the rest of those counts as on
        switches.is_told = False
        for name in valid_or(frozenset[str](), wanted_by_setting, "1") - switches.left:
            switches.enable(found[name])
    before = switches.names
    for integration in chosen:
        switches.enable(integration)
    return Autolog(chosen, before)


def autolog_by_setting(*, default: str = "", told: "Iterable[str] | None" = None) -> None:
    """Switch on what RUNLORE_AUTOLOG asks for, or `autolog` of the project; `default` stands for neither.

    Of all integrations only those that are `told`, as `told_modules` tells them: no other plugin is loaded then.
    Never raises: what can't be switched on is reported.
    """
    try:
        if told is not None and _setting_value(default).lower() in TRUE:
            process.part(_Switches).enable_told(told)
            return
        wanted = wanted_by_setting(default)
        if wanted:
            autolog(*wanted)
    except Exception as error:  # a user's import is under way
        report(f"what this process trains is not recorded: {type(error).__name__}: {error}")


def once_imported(module: str, action: Callable[[], None]) -> None:
    """Call `action` once a framework is imported, or now where it is."""
    if _is_imported(module):
        _call(action, module)
    else:
        process.part(_Switches).after_import(module, action)


def told_modules(wanted: Iterable[str] | None = None) -> str:
    """Return what a Python is told of the modules at whose import some frameworks begin to be recorded.

    Each stands with the integrations that begin then: "module=plugin:name+plugin:name,module=…"; without `wanted` all.
    """
    chosen = None if wanted is None else frozenset(wanted)
    found: dict[str, list[str]] = {}
    for name, (plugin, modules) in _awaited().items():
        if chosen is None or name in chosen:
            for module in modules:
                found.setdefault(module, []).append(f"{plugin}:{name}")
    return ",".join(f"{module}={'+'.join(names)}" for module, names in sorted(found.items()))


def switched_on() -> frozenset[str]:
    """Return the names of the integrations that are on in this process."""
    return process.part(_Switches).names


def wanted_by_setting(default: str = "") -> frozenset[str]:
    """Return the frameworks that RUNLORE_AUTOLOG asks for, without the disabled ones; `default` where it is not set.

    Raises:
        SettingError: no plugin records a framework that it names.
    """
    value = _setting_value(default)
    if value.lower() in FALSE:
        return frozenset()
    found = _awaited()
    names = [part.strip() for part in value.split(",") if part.strip()]
    if value.lower() in TRUE:
        names = list(found)
    for name in names:
        _check_known(name, found)
    disabled = disabled_names()
    return frozenset() if "all" in disabled else frozenset(names) - disabled


def _setting_value(default: str) -> str:
    found = setting("autolog")
    return (default if found is None else found).strip()


def _integrations() -> "dict[str, Integration]":
    """Return the integrations of all plugins by name."""
    return {name: item for name, (_, item) in _told().items()}


def _told(only: "Collection[str] | None" = None) -> "dict[str, tuple[str, Integration]]":
    """Return the integrations of some plugins (None: of all) by name, each with its plugin's."""

    def note(plugin: str, error: Exception) -> None:
        report(f"plugin {plugin!r} names no integrations: {type(error).__name__}: {error}")

    results = plugins().results_of(only, "runlore_register_integrations", note)
    return {item.name: (plugin, item) for plugin, items in results for item in items}


class _AllBut(frozenset[str]):
    """All names but some."""

    def __contains__(self, name: object) -> bool:
        return not super().__contains__(name)


def _awaited() -> dict[str, tuple[str, Sequence[str]]]:
    """Return the modules at whose import each integration begins, by its name, with its plugin's.

    A plugin that declares them is not loaded for it.
    """
    declared = plugins().declared
    found: dict[str, tuple[str, Sequence[str]]] = {}
    for name, (plugin, item) in _told(_AllBut(declared)).items():
        found[name] = (plugin, [item.module, *item.also] if item.module else item.packages)
    for plugin, told in declared.items():
        found |= {name: (plugin, modules) for name, modules in told.items() if modules}
    return found


def _check_known(name: str, found: Mapping[str, object]) -> None:
    if name not in found:
        close = closest(name, found)
        hint = f"did you mean {close!r}?" if close is not None else f"known: {', '.join(sorted(found)) or 'none'}"
        raise SettingError(f"no integration records {name!r}: {hint}")


class _Switches(Part):
    """The integrations that are switched on in this process, and in the children that it forks."""

    inherited = True

    def __init__(self) -> None:
        self._on: dict[str, Integration] = {}
        self._called: dict[str, None] = {}  # those that were enabled, the last one at the end
        self._after_import = _AfterImport()
        self.left: set[str] = set()  # those that were disabled
        self.is_told = bool(os.environ.get(WATCHED))  # to wait for some, each enabled with its framework

    @property
    def names(self) -> frozenset[str]:
        """Names of the integrations that are on."""
        return frozenset(self._on)

    def enable(self, integration: "Integration") -> None:
        """Switch an integration on: now where its framework is imported, else once it will be."""
        self.left.discard(integration.name)
        if integration.name in self._on:
            return
        self._on[integration.name] = integration
        for module, action in _parts_of(integration):
            action = partial(self._call, action, integration.name)
            if module is None or _is_imported(module):
                action()
            else:
                self._after_import.add(module, integration.name, action)

    def enable_told(self, told: Iterable[str]) -> None:
        """Enable integrations, each told as "plugin:name"; not those that are disabled."""
        found = dict(item.partition(":")[::-2] for item in told)
        disabled = self.left | disabled_names()
        for name, (plugin, integration) in _told(frozenset(found.values())).items():
            if found.get(name) == plugin and "all" not in disabled and name not in disabled:
                self.enable(integration)

    def disable(self, integrations: "Iterable[Integration]") -> None:
        """Switch those off that are on, the last one first: two may have wrapped one function, each other's wrapper."""
        place = {name: number for number, name in enumerate(self._called)}
        integrations = list(integrations)
        self.left.update(item.name for item in integrations)
        for item in sorted(integrations, key=lambda item: place.get(item.name, -1), reverse=True):
            self._disable(item)

    def _call(self, action: Callable[[], None], name: str) -> None:
        self._called.pop(name, None)
        self._called[name] = None
        _call(action, name)

    def _disable(self, integration: "Integration") -> None:
        if self._on.pop(integration.name, None) is None:
            return
        modules = [module for module, _ in _parts_of(integration)]
        for module in filter(None, modules):
            self._after_import.remove(module, integration.name)
        if any(module is None or module in sys.modules for module in modules):
            _call(integration.disable, integration.name)

    def after_import(self, module: str, action: Callable[[], None]) -> None:
        """Call `action` once a module is imported."""
        self._after_import.add(module, "", action)


def _parts_of(integration: "Integration") -> "list[tuple[str | None, Callable[[], None]]]":
    """Return the modules that an integration waits for, each with what is called once it is imported."""
    return [(integration.module, integration.enable), *integration.also.items()]


def _is_imported(name: str) -> bool:
    """Return True if a module was imported to its end."""
    module = sys.modules.get(name)
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


def _call(action: Callable[[], None], name: str) -> None:
    try:
        action()
    except Exception as error:  # a framework whose insides have changed must still be usable
        report(f"{name} can't be recorded automatically: {type(error).__name__}: {error}")


class _AfterImport:
    """Calls actions as soon as the modules that they wait for are imported.

    It stands on `sys.meta_path` only while it waits for a module, which the other finders then find.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, dict[str, Callable[[], None]]] = {}  # by module, and by who waits

    def add(self, module: str, name: str, action: Callable[[], None]) -> None:
        """Call `action` after the import of a module; `name` tells who waits: the integration, "" for its package."""
        self._waiting.setdefault(module, {})[name] = action
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self, module: str, name: str) -> None:
        """Let the action of `name` wait no longer."""
        actions = self._waiting.get(module, {})
        actions.pop(name, None)
        if not actions:
            self._pop(module)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> "ModuleSpec | None":
        if fullname not in self._waiting:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                self._act_after(spec.loader)
                return spec
        return None

    def _pop(self, module: str) -> dict[str, Callable[[], None]]:
        found = self._waiting.pop(module, {})
        if not self._waiting and self in sys.meta_path:
            sys.meta_path.remove(self)
        return found

    def _act_after(self, loader: Any) -> None:
        """Have a loader call the actions once it has executed the module."""
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            vars(loader).pop("exec_module", None)  # a finder within whose search ours was asked, too
            execute(module)
            for name, action in self._pop(module.__name__).items():
                _call(action, name or module.__name__)

        within_import(exec_module)
        loader.exec_module = exec_module
