"""The entry point that names scikit-learn to runlore without importing it."""

import sys
from collections.abc import Mapping, Sequence
from functools import partial

from runlore.hookspecs import Importance, Integration, hookimpl


@hookimpl
def runlore_register_integrations() -> list[Integration]:
    """Name scikit-learn, to be wrapped once `sklearn.base` is imported, and its displays with their modules."""
    from runlore_sklearn._framework import DISPLAYS, NAME

    displays = {module: partial(_enable_displays, module) for module in DISPLAYS}
    return [Integration(NAME, "sklearn.base", _enable, _disable, also=displays)]


@hookimpl(trylast=True)  # somebody's own measure goes before it
def runlore_measure_importance(
    columns: Mapping[str, Sequence[float]], values: Sequence[float], seconds: float
) -> Importance:
    """Measure what columns tell of values by random forests."""
    from runlore_sklearn._importance import measure

    return measure(columns, values, seconds)


def _enable() -> None:
    from runlore_sklearn import enable

    enable()


def _enable_displays(module: str) -> None:
    from runlore_sklearn._displays import follow

    follow(module)


def _disable() -> None:
    from runlore_sklearn import disable

    disable()
    displays = sys.modules.get("runlore_sklearn._displays")
    if displays is not None:
        displays.leave()
