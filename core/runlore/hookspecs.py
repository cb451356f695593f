"""The hooks that a plugin may implement. docs/plugins.md explains each with an example."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pluggy

hookspec = pluggy.HookspecMarker("runlore")
hookimpl = pluggy.HookimplMarker("runlore")


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """What a provider may want to know: where the process works, and how long it may take."""

    cwd: Path
    argv: tuple[str, ...]
    timeout: float  # seconds that one provider should stay below


@dataclass(frozen=True, slots=True)
class Integration:
    """A framework that autolog can record.

    `module` is the module whose import makes `enable` worth calling; `enable` and `disable` take no arguments, may be
    called in any order and any number of times, and import the framework only when called.
    """

    name: str
    module: str
    enable: Callable[[], None]
    disable: Callable[[], None]


@hookspec
def runlore_capture_environment(request: CaptureRequest) -> Mapping[str, Mapping[str, Any]] | None:
    """Describe where the run takes place: sections of plain values, such as `{"python": {"version": "3.11.7"}}`.

    Called once per run (or shared by runs that start within two seconds) on a thread of its own, never on the training
    thread. Results of all plugins are merged section by section; of two that name the same key, the plugin that was
    registered last wins. May raise: the run then says what is missing, and why.
    """


@hookspec
def runlore_register_integrations() -> Iterable[Integration]:  # type: ignore[empty-body]
    """Name the frameworks that `runlore.autolog()` can record.

    Called when autolog is switched on, on the calling thread; must not import a framework. Results are concatenated; of
    two with the same name, the plugin that was registered last wins. May raise: that plugin is reported and left out.
    """
