"""The plugins of a process: found by their entry points, loaded once, and called through their hooks."""

import builtins
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Self, TypeVar

from runlore._frozen import Frozen, changed, late
from runlore._hooks import HOOKS, Hooks
from runlore._process import Part, process
from runlore._settings import NAMES, disabled_names, setting
from runlore._text import closest, with_article
from runlore._threads import Apart
from runlore._warnings import report, valid_or
from runlore.hookspecs import CapturedFile, DataDescription, Integration
from runlore.plugins.entry_points import GROUP, OWN, EntryPoint, entry_points

OBSERVER_HOOKS = ("runlore_run_started", "runlore_events_logged", "runlore_points_logged", "runlore_run_finished")
ITEM_TYPES: dict[str, type] = {
    "runlore_capture_files": CapturedFile,
    "runlore_capture_late_files": CapturedFile,
    "runlore_register_integrations": Integration,
}
ASKED = frozenset(  # hooks that load what waits
    {"runlore_register_integrations", "runlore_describe_weights", "runlore_measure_importance"}
)
LATE = ASKED | {"runlore_capture_seeds"}  # which is asked of those whose module is imported; all that may wait
REWRITE_WAIT_S = 5.0  # for a rewriter of somebody else's; who does not return in time is left out from then on
STRUCTURAL_FIELDS = frozenset(  # of events: a reader needs them, and they hold nothing that could be secret
    "type time mode run pid pid_start pid_namespace boot host parent kind status sha256 size stored step epoch cut "
    "predecessor".split()
)

_rewriting: ContextVar[bool] = ContextVar("runlore_rewriting", default=False)

T = TypeVar("T")
Complaint = Callable[[str, Exception], None]


@late
class PluginInfo(Frozen):
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
        self.points: list[EntryPoint] = []  # of all plugins but disabled ones, loaded or not
        self._declared: dict[str, dict[str, list[str]]] | None = None
        self._listed: list[PluginInfo] = []
        self._waiting: list[EntryPoint] = []
        self._core: list[EntryPoint] = []  # our own that integrate nothing: loaded once any hook but `ASKED` is called
        self._loads_waiting = False
        self._lock = threading.RLock()  # of those that wait: the import of one may ask for the others
        self._disabled = valid_or(frozenset[str](), disabled_names) if disabled is None else disabled
        self._hooks = Hooks()
        self._own: set[str] = set()  # names of the plugins that come with runlore
        self._hung: set[tuple[str, str]] = set()  # plugins, each with the hook that does not return

    def load(self) -> Self:
        """Find the plugins, and load those of somebody else's that don't wait, our own before; call it once."""
        found = sorted(entry_points(), key=lambda point: point.name)
        self.points = [point for point in found if not self._disabled & {point.name, "all"}]
        self._waiting = [point for point in found if point.waits]
        self._core = [point for point in found if not point.waits]
        if any(point.distribution != OWN for point in self._core):  # which may have any hook
            self._load_due("")
        return self

    @property
    def listed(self) -> list[PluginInfo]:
        """All plugins; those that waited are loaded for it."""
        self._load_due(None)
        return sorted(self._listed, key=lambda item: item.name)

    @property
    def declared(self) -> dict[str, dict[str, list[str]]]:
        """Declarations of plugins that wait, by name, for which they need not be loaded: `EntryPoint.declared`."""
        if self._declared is None:
            found = ((point.name, point.declared()) for point in self.points if point.waits)
            self._declared = {name: told for name, told in found if told is not None}
        return self._declared

    def register(self, plugin: Any, name: str) -> list[str]:
        """Add a plugin, which needs no entry point, and return the names of its hooks.

        Raises:
            AttributeError: it has a hook of an unknown name.
        """
        self._load_due("")  # our own come first
        return self._registered(plugin, name, is_own=False)

    def unregister(self, plugin: Any) -> None:
        """Remove a plugin that was registered."""
        self._hooks.unregister(plugin)

    @property
    def observed(self) -> bool:
        """True if any plugin observes runs."""
        return any(self._implementations(hook) for hook in OBSERVER_HOOKS)

    def implementing(self, hook: str) -> list[str]:
        """Return the names of the plugins that implement a hook."""
        return sorted(implementation.plugin_name for implementation in self._implementations(hook))

    def results(
        self, hook: str, on_error: Complaint, *, within: float | None = None, **arguments: Any
    ) -> Iterator[Any]:
        """Call a hook of every plugin; yield the results but None, in the order of registration.

        A plugin that raises costs only its own result: `on_error` gets its name and the exception, and so for one of
        somebody else's that does not return `within` so many seconds.
        """
        return (result for _, result in self.results_of(None, hook, on_error, within=within, **arguments))

    def results_of(
        self,
        only: Collection[str] | None,
        hook: str,
        on_error: Complaint,
        *,
        within: float | None = None,
        **arguments: Any,
    ) -> Iterator[tuple[str, Any]]:
        """Call a hook of some plugins (None: of every one) as `results` does; yield each with the plugin's name."""
        for implementation in self._implementations(hook, only):
            try:
                result = (
                    _call(implementation, arguments)
                    if within is None
                    else self._in_time(hook, implementation, arguments, within)
                )
            except Exception as error:  # a plugin's own code: its failure must stay its own
                on_error(implementation.plugin_name, error)
                continue
            if result is not None:
                name = implementation.plugin_name
                yield from ((name, item) for item in _checked(hook, result, name, on_error))

    def first(self, hook: str, kind: type[T], **arguments: Any) -> T | None:
        """Call a hook until a plugin returns something, which must be of a type; the last registered is called first.

        Raises:
            RuntimeError: a plugin that was called failed; the message names it.
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

    def describe_data(self, data: Any) -> DataDescription | None:
        """Describe a dataset; None where no plugin can. A description is returned as it is.

        Raises:
            RuntimeError: the plugin that should have described it failed.
        """
        if isinstance(data, DataDescription):
            return data
        return self.first("runlore_describe_data", DataDescription, data=data)

    def rewrite_event(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Pass an event through the rewriters; where one of them fails, leave its content out."""

        def is_event(changed: Any) -> bool:
            return isinstance(changed, Mapping) and changed.get("type") == event["type"]

        def empty(event: Mapping[str, Any], plugin: str, error: Exception) -> Mapping[str, Any]:
            how = error if isinstance(error, _Hung) else f"raised {type(error).__name__}"
            why = f"left out: plugin {plugin!r} {how}"
            if not isinstance(error, _Hung):  # which was reported
                report(f"{with_article(event['type'])} event is recorded without its content: {why}")
            return _emptied(event, why)

        return self._rewritten("event", event, is_event, empty)

    def rewrite_file(self, file: CapturedFile) -> CapturedFile:
        """Pass a file through the rewriters; where one of them fails, withhold it."""

        def is_file(changed: Any) -> bool:
            return isinstance(changed, CapturedFile)

        def withhold(file: CapturedFile, plugin: str, error: Exception) -> CapturedFile:
            how = error if isinstance(error, _Hung) else f"raised {type(error).__name__}: {error}"
            why = f"plugin {plugin!r} {how}"
            return changed(file, content=b"", withheld=why)

        return self._rewritten("file", file, is_file, withhold)

    def _rewritten(
        self, kind: str, value: T, is_valid: Callable[[Any], bool], without_content: Callable[[T, str, Exception], T]
    ) -> T:
        """Pass an event or a file through its rewriters; one that fails costs it the content."""
        for implementation in reversed(self._implementations(f"runlore_rewrite_{kind}")):
            try:
                changed = self._in_time(f"runlore_rewrite_{kind}", implementation, {kind: value}, REWRITE_WAIT_S)
                if changed is not None and not is_valid(changed):
                    raise TypeError(f"it returned {_brief(changed)}")
                value = value if changed is None else changed
            except Exception as error:  # a plugin's own code: what it should have masked must not be written
                value = without_content(value, implementation.plugin_name, error)
        return value

    def _in_time(self, hook: str, implementation: Any, arguments: dict[str, Any], seconds: float) -> Any:
        """Call a plugin; one of somebody else's on a thread of its own, so that it can be left behind.

           Raises:
        _Hung: it did not return in time, now or before.
        """
        plugin = implementation.plugin_name
        if plugin in self._own:
            return _call(implementation, arguments)
        late = f"did not return within {seconds:g} s"
        if (plugin, hook) in self._hung:
            raise _Hung(late)

        def act() -> Any:
            _rewriting.set(hook.startswith("runlore_rewrite"))
            result = _call(implementation, arguments)
            return list(result) if hook in ITEM_TYPES and result is not None else result  # it may be a generator

        apart = Apart(act, f"runlore-{plugin}")
        if not apart.returns_within(seconds):
            self._hung.add((plugin, hook))
            lost = "masked is not" if "rewrite" in hook else "told is not"
            report(f"plugin {plugin!r} is left out: it {late}. What it should have {lost} recorded.")
            raise _Hung(late)
        return apart.result()

    def _implementations(self, hook: str, only: Collection[str] | None = None) -> Sequence[Any]:
        if self._core or self._waiting:
            self._load_due(hook, only)
        found = self._hooks.implementations(hook)
        return found if only is None else [item for item in found if item.plugin_name in only]

    def _registered(self, plugin: Any, name: str, *, is_own: bool) -> list[str]:
        hooks = self._hooks.register(plugin, name, is_own=is_own)
        unknown = [hook for hook in hooks if hook not in HOOKS]
        if unknown:
            self._hooks.unregister(plugin)
            raise AttributeError(_unknown_hook(unknown[0]))
        return sorted(hooks)

    def _load_due(self, hook: str | None, only: Collection[str] | None = None) -> None:
        """Load the plugins that may implement a hook, all where it is None; of those that wait `only` some names."""
        with self._lock:
            core, self._core = ([], self._core) if hook in ASKED else (self._core, [])
            for point in core:
                self._load(point)
            if hook is not None and hook not in LATE:
                return
            due = [point for point in self._waiting if hook in (None, *ASKED) or point.name in sys.modules]
            due = [point for point in due if only is None or point.name in only]
            if self._loads_waiting or not due:
                return
            self._loads_waiting = True
            try:
                for point in due:
                    self._load(point)
            finally:
                self._loads_waiting = False
                self._waiting = [point for point in self._waiting if point not in due]

    def _load(self, point: EntryPoint) -> None:
        def listed(state: str, hooks: list[str], error: str | None = None) -> None:
            known = (point.name, state, point.distribution, point.version, point.value)
            self._listed.append(PluginInfo(*known, tuple(hooks), error))

        if point not in self.points:
            listed("disabled", [])
            return
        try:
            plugin = None if _is_off(point) else _no_exit(point.load)
            if plugin is None:
                listed("off", [])
                return
            if isinstance(plugin, type):
                raise TypeError(f"{point.value} is a class: name an object, or a function that returns one")
            hooks = self._registered(plugin, point.name, is_own=point.distribution == OWN)
            if point.value.startswith("runlore."):
                self._own.add(point.name)
            if point.waits and not LATE.issuperset(hooks):
                odd = min(set(hooks) - LATE)
                raise TypeError(f"it has the hook {odd}: only plugins of the group {GROUP!r} may")
            if not hooks:
                raise TypeError("it has no hooks: mark its functions with @runlore.hookimpl")
        except Exception as error:  # a plugin's import may raise anything
            message = f"{type(error).__name__}: {error}"
            listed("failed", [], message)
            report(f"plugin {point.name!r} can't be loaded and is left out: {message}")
            return
        listed("loaded", hooks)


def plugins() -> Plugins:
    """Return the plugins of this process; the first call finds and loads them."""
    return process.part(_Loaded).plugins()


class _Loaded(Part):
    """The plugins of a process. A forked child loads them anew, as observers may have threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a plugin may ask for the plugins while it is loaded
        self._plugins: Plugins | None = None

    def plugins(self) -> Plugins:
        """Return the plugins; while they are being loaded, this thread gets those loaded so far."""
        with self._lock:
            if self._plugins is None:
                self._plugins = Plugins()
                self._plugins.load()
            return self._plugins


def _is_off(point: EntryPoint) -> bool:
    """Return True for a plugin of our own that has the name of a setting, where nobody has set it: it is not imported.

    Raises:
        SettingError: the setting can't be read.
    """
    return point.distribution == OWN and point.name in NAMES and setting(point.name) is None


def is_rewriting() -> bool:
    """Return True on a thread on which a rewriter is called, while another thread waits for it."""
    return _rewriting.get()


class _Hung(TimeoutError):
    """A plugin does not return."""


def _call(implementation: Any, arguments: dict[str, Any]) -> Any:
    return _no_exit(implementation.function, *[arguments[name] for name in implementation.argnames])


def _no_exit(action: Callable[..., T], *arguments: Any) -> T:
    """Run a plugin's code; one that calls sys.exit has failed, and ends nothing."""
    try:
        return action(*arguments)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error


def _checked(hook: str, result: Any, plugin: str, on_error: Complaint) -> Iterator[Any]:
    """Yield the part of a provider's result that its hook allows, and complain of the rest.

    Iterables are read here, as they may raise.
    """
    try:
        if hook == "runlore_capture_seeds":
            yield dict(result)
            wrong = []
        elif hook == "runlore_capture_environment":
            sections = {str(name): values for name, values in dict(result).items() if isinstance(values, Mapping)}
            wrong = [name for name in result if str(name) not in sections]
            yield sections
        elif hook in ITEM_TYPES:
            items: list[Any] = []
            wrong = []
            for item in _no_exit(lambda: list(result)):
                (items if isinstance(item, ITEM_TYPES[hook]) else wrong).append(item)
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
    return with_article(type(value).__qualname__)


def _unknown_hook(name: str) -> str:
    close = closest(name, HOOKS)
    return f"there is no hook {name!r}" + (f": did you mean {close!r}?" if close is not None else "")


def _emptied(event: Mapping[str, Any], why: str) -> Mapping[str, Any]:
    """Return an event of the same type with its structural fields only, so that readers still understand it."""
    kept = {key: value for key, value in event.items() if key in STRUCTURAL_FIELDS}
    empty: dict[str, Any] = {"values": {}, "sections": {}, "text": why, "what": event["type"], "why": why, "name": why}
    if event.get("error"):
        kind = event["error"].get("type")  # where memory has run out, rewriters fail, too
        known = kind if isinstance(kind, str) and hasattr(builtins, kind) else "unknown"
        kept["error"] = {"type": known, "message": why, "traceback": ""}
    return kept | {key: value for key, value in empty.items() if key in event} | {"left_out": why}
