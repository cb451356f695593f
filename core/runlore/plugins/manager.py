"""The plugins of a process: those that entry points of the group "runlore" name, our own among them."""

import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pluggy

from runlore import hookspecs
from runlore._process import Part, process
from runlore._settings import disabled_names
from runlore._warnings import report
from runlore.hookspecs import CapturedFile, Integration

if TYPE_CHECKING:
    from runlore.hookspecs import DataDescription


GROUP = "runlore"
OBSERVING = ("runlore_run_started", "runlore_events_logged", "runlore_points_logged", "runlore_run_finished")
STRUCTURE = frozenset(
    "type time mode run pid pid_start pid_namespace boot host parent kind status sha256 size stored step epoch cut "
    "predecessor".split()
)  # what of an event can hold nothing foreign, and is needed to read a run

T = TypeVar("T")
KINDS: dict[str, type] = {"runlore_capture_files": CapturedFile, "runlore_register_integrations": Integration}
Event = Mapping[str, Any]
Complaint = Callable[[str, Exception], None]


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin as `runlore plugins` lists it.

    `state` is "loaded", "disabled" (by RUNLORE_DISABLED), "off" (a setting would switch it on), or "failed", with the
    `error`.
    """

    name: str
    state: str
    distribution: str
    version: str
    module: str
    hooks: tuple[str, ...] = ()
    error: str | None = None


class Plugins:
    """Finds, loads and calls plugins; one that can't be loaded is reported by name and left out.

    `disabled` names plugins to leave out. Loading imports no ML framework: that is each plugin's duty.
    """

    def __init__(self, disabled: frozenset[str] | None = None) -> None:
        self.listed: list[PluginInfo] = []
        self._disabled = disabled_names() if disabled is None else disabled
        self._manager = pluggy.PluginManager("runlore")
        self._manager.add_hookspecs(hookspecs)

    def load(self) -> Self:
        """Find and load the plugins, once."""
        for found in sorted(entry_points(), key=lambda found: found.name):
            self._load(found)
        return self

    def register(self, plugin: Any, name: str) -> None:
        """Add a plugin that has no entry point; a test's, say.

        Raises:
            AttributeError: it has a hook of an unknown name.
        """
        self._manager.register(plugin, name)
        unknown = [hook for hook in self._hooks_of(plugin) if not hasattr(hookspecs, hook)]
        if unknown:
            self._manager.unregister(plugin)
            raise AttributeError(_unknown_hook(unknown[0]))

    def unregister(self, plugin: Any) -> None:
        """Take a plugin off again."""
        self._manager.unregister(plugin)

    @property
    def names(self) -> list[str]:
        """The plugins that are loaded."""
        return [item.name for item in self.listed if item.state == "loaded"]

    @property
    def observed(self) -> bool:
        """Whether any plugin observes runs."""
        return any(self._implementations(hook) for hook in OBSERVING)

    def results(self, hook: str, on_error: Complaint, **arguments: Any) -> Iterator[Any]:
        """What each plugin returns to a hook, in the order of registration; None is left out.

        A plugin that raises costs only its own result: `on_error` gets its name and the exception.
        """
        for implementation in self._implementations(hook):
            try:
                result = _call(implementation, arguments)
            except Exception as error:  # a plugin's own code: its failure must stay its own
                on_error(implementation.plugin_name, error)
                continue
            if result is not None:
                yield from _checked(hook, result, implementation.plugin_name, on_error)

    def first(self, hook: str, kind: type[T], **arguments: Any) -> T | None:
        """The first answer that is not None, plugins that were registered last asked first; it has to be of the kind.

        Raises:
            RuntimeError: a plugin that was asked failed; the message names it.
        """
        for implementation in reversed(self._implementations(hook)):
            try:
                result = _call(implementation, arguments)
                if result is not None and not isinstance(result, kind):
                    raise TypeError(f"it returned {_brief(result)}")
            except Exception as error:  # a plugin's own code: it is named
                message = f"plugin {implementation.plugin_name!r}: {type(error).__name__}: {error}"
                raise RuntimeError(message) from error
            if result is not None:
                return result
        return None

    def implementing(self, hook: str) -> list[str]:
        """The names of the plugins that have a hook."""
        return sorted(implementation.plugin_name for implementation in self._implementations(hook))

    def rewrite_event(self, event: Event) -> Event:
        """The event as the rewriters want it written; without its content where one of them fails."""

        def is_one(changed: Any) -> bool:
            return isinstance(changed, Mapping) and changed.get("type") == event["type"]

        def empty(event: Event, plugin: str, error: Exception) -> Event:
            why = f"left out: plugin {plugin!r} raised {type(error).__name__}"
            report(f"a {event['type']} event is recorded without its content: {why}")
            return _emptied(event, why)

        return self._rewritten("event", event, is_one, empty)

    def rewrite_file(self, file: CapturedFile) -> CapturedFile:
        """The file as the rewriters want it kept; withheld where one of them fails."""

        def withhold(file: CapturedFile, plugin: str, error: Exception) -> CapturedFile:
            why = f"plugin {plugin!r} raised {type(error).__name__}: {error}"
            return replace(file, content=b"", withheld=why)

        return self._rewritten("file", file, lambda changed: isinstance(changed, CapturedFile), withhold)

    def _rewritten(
        self, what: str, value: T, is_one: Callable[[Any], bool], without: Callable[[T, str, Exception], T]
    ) -> T:
        """The value after the chain of its rewriters; `without` gives what is left of it where one fails."""
        for implementation in reversed(self._implementations(f"runlore_rewrite_{what}")):
            try:
                changed = _call(implementation, {what: value})
                if changed is not None and not is_one(changed):
                    raise TypeError(f"it returned {_brief(changed)}")
                value = value if changed is None else changed
            except Exception as error:  # a plugin's own code: what it should have masked must not be written
                value = without(value, implementation.plugin_name, error)
        return value

    def _implementations(self, hook: str) -> list[Any]:
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return caller.get_hookimpls()

    def _load(self, found: "Found") -> None:
        info = PluginInfo(found.name, "loaded", found.distribution, found.version, found.value)
        if found.name in self._disabled or "all" in self._disabled:
            self.listed.append(replace(info, state="disabled"))
            return
        try:
            plugin = _no_exit(found.load)
            if plugin is None:
                self.listed.append(replace(info, state="off"))
                return
            if isinstance(plugin, type):
                raise TypeError(f"{found.value} is a class: name an object, or a function that returns one")
            self.register(plugin, found.name)
            if not self._hooks_of(plugin):
                raise TypeError("it has no hooks: mark its functions with @runlore.hookimpl")
        except Exception as error:  # a plugin's import may raise anything
            message = f"{type(error).__name__}: {error}"
            self.listed.append(replace(info, state="failed", error=message))
            report(f"plugin {found.name!r} can't be loaded and is left out: {message}")
            return
        self.listed.append(replace(info, hooks=tuple(sorted(self._hooks_of(plugin)))))

    def _hooks_of(self, plugin: Any) -> list[str]:
        return [caller.name for caller in self._manager.get_hookcallers(plugin) or ()]


@dataclass(frozen=True, slots=True)
class Found:
    """An entry point: `value` is "module" or "module:name"."""

    name: str
    value: str
    distribution: str
    version: str

    def load(self) -> Any:
        """The plugin: a module or another object with hooks; a function's answer, which may be None for none."""
        import importlib

        module, _, name = self.value.partition(":")
        plugin: Any = importlib.import_module(module.strip())
        for part in filter(None, name.strip().split(".")):
            plugin = getattr(plugin, part)
        return plugin() if isinstance(plugin, FunctionType) else plugin


def entry_points() -> list[Found]:
    """The entry points of our group, each name once, the first on `sys.path` first.

    Read by hand: importing `importlib.metadata` takes 25 ms, and it parses the metadata of every distribution.
    """
    found: dict[str, Found] = {}
    seen: set[str] = set()
    for folder in sys.path:
        try:
            names = sorted(name for name in os.listdir(folder or ".") if name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue
        for name in names:
            project, _, version = name.rpartition(".")[0].partition("-")
            if project.lower() in seen:
                continue
            seen.add(project.lower())
            for point, value in _group_of(Path(folder or ".", name, "entry_points.txt")):
                distribution = project.replace("_", "-").lower()
                found.setdefault(point, Found(point, value, distribution, version.partition("-")[0]))
    return list(found.values())


def _group_of(path: Path) -> Iterator[tuple[str, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return
    if f"[{GROUP}]" not in text:
        return
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            yield name.strip(), value.partition("[")[0].strip()


def _call(implementation: Any, arguments: dict[str, Any]) -> Any:
    return _no_exit(lambda: implementation.function(**{name: arguments[name] for name in implementation.argnames}))


def _no_exit(action: Callable[[], T]) -> T:
    """What a plugin's code returns; one that calls sys.exit has failed, and ends nothing."""
    try:
        return action()
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error


def _checked(hook: str, result: Any, plugin: str, on_error: Complaint) -> Iterator[Any]:
    """A provider's result, as far as it is what its hook promises; iterables are read here, where they may raise."""
    try:
        if hook == "runlore_capture_seeds":
            yield dict(result)
            wrong = []
        elif hook == "runlore_capture_environment":
            sections = {str(name): values for name, values in dict(result).items() if isinstance(values, Mapping)}
            wrong = [name for name in result if str(name) not in sections]
            yield sections
        elif hook in KINDS:
            items: list[Any] = []
            wrong = []
            for item in _no_exit(lambda: list(result)):
                (items if isinstance(item, KINDS[hook]) else wrong).append(item)
            yield items
        else:
            wrong = []
            yield result
    except Exception as error:  # a plugin's own code: its failure must stay its own
        on_error(plugin, error)
        return
    if wrong:
        on_error(plugin, TypeError(f"it returned {_brief(wrong[0])} among the rest"))


def _brief(value: Any) -> str:
    return f"a {type(value).__qualname__}"


def _unknown_hook(name: str) -> str:
    from difflib import get_close_matches

    close = get_close_matches(name, [hook for hook in dir(hookspecs) if hook.startswith("runlore_")], 1)
    return f"there is no hook {name!r}" + (f": did you mean {close[0]!r}?" if close else "")


def _emptied(event: Event, why: str) -> Event:
    """The event without anything foreign, still of its type."""
    kept = {key: value for key, value in event.items() if key in STRUCTURE}
    empty: dict[str, Any] = {"values": {}, "sections": {}, "text": why, "what": event["type"], "why": why, "name": why}
    if event.get("error"):
        kept["error"] = {"type": "unknown", "message": why, "traceback": ""}
    return kept | {key: value for key, value in empty.items() if key in event} | {"left_out": why}


class _Loaded(Part):
    def __init__(self) -> None:
        self._lock = threading.RLock()  # a plugin may ask for the plugins while it is loaded
        self._plugins: Plugins | None = None

    def plugins(self) -> Plugins:
        with self._lock:
            if self._plugins is None:
                self._plugins = Plugins()
                self._plugins.load()
            return self._plugins


def plugins() -> Plugins:
    """Return the plugins of this process; the first call finds and loads them."""
    return process.part(_Loaded).plugins()


def described(data: Any) -> "DataDescription | None":
    """What plugins say of a dataset; a description stands for itself.

    Raises:
        RuntimeError: the plugin that should have described it failed.
    """
    from runlore.hookspecs import DataDescription

    if isinstance(data, DataDescription):
        return data
    return plugins().first("runlore_describe_data", DataDescription, data=data)
