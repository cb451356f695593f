"""The order and the arguments of hooks: our own plugins are held apart from pluggy, which must say the same of them."""

from collections.abc import Callable
from typing import Any

import pluggy
import pytest

from runlore import hookimpl, hookspecs
from runlore._hooks import HOOKS, Hooks, Implementation
from runlore.plugins.entry_points import entry_points
from runlore.plugins.manager import Plugins
from tests.process import Process

Python = Callable[..., Process]
Seen = dict[str, list[tuple[str, object, tuple[str, ...]]]]


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, str]]:
    """All plugins that come with runlore, also those that a setting switches on."""
    for setting in ("RUNLORE_CSV", "RUNLORE_PROGRESS"):
        monkeypatch.setenv(setting, "1")
    points = [point for point in entry_points() if point.distribution == "runlore"]
    found = [(point.load(), point.name) for point in points]
    assert len(found) >= 16
    assert None not in [plugin for plugin, _ in found]
    return found


def seen(hooks: Hooks) -> Seen:
    return {
        hook: [(each.plugin_name, each.function, tuple(each.argnames)) for each in hooks.implementations(hook)]
        for hook in HOOKS
    }


def test_pluggy_says_the_same_of_our_own_plugins(own: list[tuple[Any, str]]) -> None:
    for plugins in (own, own[::-1]):
        plain, through_pluggy = Hooks(), Hooks()
        for plugin, name in plugins:
            names = plain.register(plugin, name, is_own=True)
            assert names
            assert sorted(through_pluggy.register(plugin, name)) == names
        assert all(type(each) is Implementation for hook in HOOKS for each in plain.implementations(hook))
        before = seen(plain)
        assert before == seen(through_pluggy)
        assert all(before.values()), [hook for hook, found in before.items() if not found]
        assert plain.manager.get_plugins() == through_pluggy.manager.get_plugins()
        assert seen(plain) == before, "the order stays as pluggy takes over"


def test_several_that_come_last_keep_their_order() -> None:
    class Early:
        @hookimpl
        def runlore_rewrite_event(self, event: Any) -> None: ...

    class Late:
        @hookimpl(trylast=True)
        def runlore_rewrite_event(self, event: Any) -> None: ...

    plugins = [(kind(), str(number)) for number, kind in enumerate((Early, Late, Early, Late, Early))]
    plain, through_pluggy = Hooks(), Hooks()
    for plugin, name in plugins:
        plain.register(plugin, name, is_own=True)
        through_pluggy.register(plugin, name)
    assert [name for name, *_ in seen(plain)["runlore_rewrite_event"]] == ["3", "1", "0", "2", "4"]
    assert seen(plain) == seen(through_pluggy)


def test_the_marks_are_those_of_pluggy() -> None:
    options: list[dict[str, Any]] = [{}, {"trylast": True, "optionalhook": True}, {"specname": "a", "tryfirst": True}]
    options += [{"wrapper": True}, {"hookwrapper": True}]
    for given in options:
        ours = hookimpl(**given)(lambda: None)
        theirs = pluggy.HookimplMarker("runlore")(**given)(lambda: None)
        assert vars(ours) == vars(theirs)
    assert vars(hookimpl(lambda: None)) == vars(pluggy.HookimplMarker("runlore")(lambda: None))
    spec = pluggy.HookspecMarker("runlore")(lambda: None)
    assert all(vars(getattr(hookspecs, hook)) == vars(spec) for hook in HOOKS)


def test_one_that_is_registered_twice_is_refused_however_it_is_named(own: list[tuple[Any, str]]) -> None:
    hooks = Hooks()
    (plugin, name), (other, _), *_ = own
    hooks.register(plugin, name, is_own=True)
    for again, its in ((plugin, "another"), (other, name)):
        with pytest.raises(ValueError, match="already registered"):
            hooks.register(again, its, is_own=True)
    assert {its for found in seen(hooks).values() for its, *_ in found} == {name}


def test_somebody_elses_plugin_stands_behind_ours_and_may_go_again(plug: Callable[..., None]) -> None:
    class Observer:
        @hookimpl(tryfirst=True)
        def runlore_capture_environment(self) -> dict[str, Any]:
            return {}

    plugins = Plugins(disabled=frozenset()).load()
    before = plugins.implementing("runlore_capture_environment")
    observer = Observer()
    assert plugins.register(observer, "mine") == ["runlore_capture_environment"]
    assert plugins.implementing("runlore_capture_environment") == sorted([*before, "mine"])
    plugins.unregister(observer)
    assert plugins.implementing("runlore_capture_environment") == before


def test_an_argument_of_an_unknown_name_is_told_as_before(plug: Callable[..., None]) -> None:
    class Odd:
        @hookimpl
        def runlore_run_started(self, runn: Any) -> None: ...

    with pytest.raises(pluggy.PluginValidationError, match="runn"):
        plug(Odd())
