"""What our integrations wait for stands beside their modules, so that whoever only tells it needs not import them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runlore.hookspecs import Integration
from runlore.plugins.entry_points import AWAITED, EntryPoint, entry_points
from tests.process import Process

OURS = [point for point in entry_points() if point.waits and point.distribution == "runlore"]
TOLD = ("runlore_capture_seeds",)  # hooks that are asked of a plugin that nobody has loaded


def declaration(point: EntryPoint) -> str:
    """The text that has to stand there."""
    plugin = point.load()
    items: list[Integration] = plugin.runlore_register_integrations()
    modules = {item.name: [item.module, *item.also] if item.module else item.packages for item in items}
    return "".join(
        f"{line}\n"
        for line in (
            *(" ".join([name, *found]) for name, found in modules.items()),
            *(h for h in TOLD if hasattr(plugin, h)),
        )
    )


@pytest.mark.parametrize("point", OURS, ids=lambda point: point.name)
def test_what_a_plugin_declares_is_what_it_tells(point: EntryPoint) -> None:
    assert Path(str(point.folder), AWAITED).read_text() == declaration(point)
    declared = point.declared()
    assert declared is not None
    assert declared == {name: modules for name, *modules in map(str.split, declaration(point).splitlines())}


def test_whoever_tells_what_is_awaited_loads_no_integration(python: Callable[..., Process]) -> None:
    printed = python(
        """
        import sys
        from runlore.plugins.autolog import told_modules, wanted_by_setting
        print("sklearn.base=sklearn:sklearn" in told_modules(wanted_by_setting("1")))
        print([name for name in sys.modules if name.startswith("runlore_")])
        """
    ).succeed()
    assert printed == "True\n[]\n"
