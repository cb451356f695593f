"""`runlore.autolog()`: record every supported framework, whenever it is imported."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from runlore._settings import FALSE, TRUE, disabled_names, setting
from runlore._warnings import report
from runlore.errors import SettingError
from runlore.plugins.manager import plugins

if TYPE_CHECKING:
    from runlore.hookspecs import Integration


_finder: "list[_AfterImport]" = []  # ours on sys.meta_path, while any framework is waited for
_enabled: "dict[str, Integration]" = {}  # of this process, by name


class Autolog:
    """What `autolog()` switched on. `disable()` ends it; as a context manager it restores what was on before."""

    def __init__(self, integrations: "Iterable[Integration]", before: frozenset[str]) -> None:
        self._integrations = tuple(integrations)
        self._before = before

    @property
    def names(self) -> list[str]:
        """The frameworks it covers."""
        return sorted(item.name for item in self._integrations)

    def disable(self) -> None:
        """Restore every attribute that was wrapped; frameworks that are imported later stay as they are."""
        for integration in self._integrations:
            _disable(integration)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for integration in self._integrations:
            if integration.name not in self._before:
                _disable(integration)

    def __repr__(self) -> str:
        return f"<Autolog {', '.join(self.names) or 'nothing'}>"


def autolog(*frameworks: str) -> Autolog:
    """Record every training call of the named frameworks, or of all; calling it twice changes nothing.

    Works before and after a framework is imported, and imports none itself.

    Raises:
        SettingError: no installed plugin records a framework of that name.
    """
    found = _integrations()
    for name in frameworks:
        _check_known(name, found)
    disabled = disabled_names()
    chosen = [
        item
        for item in found.values()
        if (not frameworks or item.name in frameworks) and not disabled & {item.name, "all"}
    ]
    before = frozenset(_enabled)
    for integration in chosen:
        _enable(integration)
    return Autolog(chosen, before)


def wanted_by_setting() -> frozenset[str]:
    """The frameworks that RUNLORE_AUTOLOG asks for, those left out that are disabled.

    Raises:
        SettingError: no plugin records a framework that it names.
    """
    value = (setting("autolog") or "").strip()
    if value.lower() in FALSE:
        return frozenset()
    found = _integrations()
    names = [part.strip() for part in value.split(",") if part.strip()]
    if value.lower() in TRUE:
        names = list(found)
    for name in names:
        _check_known(name, found)
    disabled = disabled_names()
    return frozenset() if "all" in disabled else frozenset(names) - disabled


def _integrations() -> "dict[str, Integration]":
    """What plugins can record, by name."""

    def note(plugin: str, error: Exception) -> None:
        report(f"plugin {plugin!r} names no integrations: {type(error).__name__}: {error}")

    results = plugins().results("runlore_register_integrations", note)
    return {item.name: item for items in results for item in items}


def _check_known(name: str, found: "Mapping[str, Integration]") -> None:
    if name not in found:
        close = get_close_matches(name, found, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(found)) or 'none'}"
        raise SettingError(f"no integration records {name!r}: {hint}")


def _enable(integration: "Integration") -> None:
    if integration.name in _enabled:
        return
    _enabled[integration.name] = integration
    if integration.module is None:
        _call(integration.enable, integration.name)
        return
    module = sys.modules.get(integration.module)
    if module is not None and not _is_being_imported(module):
        _call(integration.enable, integration.name)
        return
    if not _finder:
        _finder.append(_AfterImport())
        sys.meta_path.insert(0, _finder[0])
    _finder[0].wanted[integration.module] = integration


def _disable(integration: "Integration") -> None:
    if _enabled.pop(integration.name, None) is None:
        return
    if _finder and integration.module is not None:
        _finder[0].wanted.pop(integration.module, None)
        _remove_idle_finder()
    if integration.module is None or integration.module in sys.modules:
        _call(integration.disable, integration.name)


def _call(action: Callable[[], None], name: str) -> None:
    try:
        action()
    except Exception as error:  # a framework whose insides have changed must still be usable
        report(f"{name} can't be recorded automatically: {type(error).__name__}: {error}")


def _remove_idle_finder() -> None:
    if _finder and not _finder[0].wanted:
        finder = _finder.pop()
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


def _is_being_imported(module: ModuleType) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


class _AfterImport(MetaPathFinder):
    """Lets the other finders find a module, and calls an integration once it was executed."""

    def __init__(self) -> None:
        self.wanted: dict[str, Integration] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        integration = self.wanted.get(fullname)
        if integration is None:
            return None
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                self._call_after(spec.loader, integration)
                return spec
        return None

    def _call_after(self, loader: Any, integration: "Integration") -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module
            execute(module)
            if self.wanted.pop(module.__name__, None) is not None:
                _call(integration.enable, integration.name)
                _remove_idle_finder()

        loader.exec_module = exec_module
