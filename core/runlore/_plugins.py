"""The plugins of a process: those that entry points of the group "runlore" name, our own among them."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from runlore import hookspecs
from runlore._settings import disabled_names
from runlore._writer import report

GROUP = "runlore"


class Plugins:
    """Finds, loads and calls plugins; one that can't be loaded is reported by name and left out.

    `disabled` names plugins to leave out. Loading imports no ML framework: that is each plugin's duty.
    """

    def __init__(self, disabled: frozenset[str] | None = None) -> None:
        self.failed: dict[str, str] = {}
        self._disabled = disabled_names() if disabled is None else disabled
        self._manager = pluggy.PluginManager("runlore")
        self._manager.add_hookspecs(hookspecs)
        for entry in sorted(entry_points(), key=lambda entry: entry.name):
            self._register(entry.name, entry.load)

    @property
    def names(self) -> list[str]:
        """The plugins that are loaded."""
        return [name for name, plugin in self._manager.list_name_plugin() if plugin is not None]

    def results(self, hook: str, on_error: Callable[[str, Exception], None], **arguments: Any) -> Iterator[Any]:
        """What each plugin returns to a hook, in the order of registration; None is left out.

        A plugin that raises costs only its own result: `on_error` gets its name and the exception.
        """
        for implementation in getattr(self._manager.hook, hook).get_hookimpls():
            wanted = {name: arguments[name] for name in implementation.argnames}
            try:
                result = implementation.function(**wanted)
            except Exception as error:  # a plugin's own code: its failure must stay its own
                on_error(implementation.plugin_name, error)
                continue
            if result is not None:
                yield result

    def _register(self, name: str, load: Callable[[], Any]) -> None:
        if name in self._disabled or "all" in self._disabled:
            return
        try:
            self._manager.register(load(), name)
        except Exception as error:  # a plugin's import may raise anything
            self.failed[name] = f"{type(error).__name__}: {error}"
            report(f"plugin {name!r} can't be loaded and is left out: {type(error).__name__}: {error}")


def entry_points() -> list[EntryPoint]:
    """The entry points of our group, each name once, the first on `sys.path` first.

    Only distributions that have an entry_points.txt are opened: `importlib.metadata.entry_points` parses the metadata
    of all of them, which takes ten times as long.
    """
    found: dict[str, EntryPoint] = {}
    seen: set[str] = set()
    for folder in sys.path:
        for path in sorted(Path(folder or ".").glob("*.*-info/entry_points.txt")):
            project = path.parent.name.partition("-")[0].lower()
            if project in seen:
                continue
            seen.add(project)
            if f"[{GROUP}]" in path.read_text(encoding="utf-8"):
                for entry in Distribution.at(path.parent).entry_points.select(group=GROUP):
                    found.setdefault(entry.name, entry)
    return list(found.values())
