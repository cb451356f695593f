"""Figures of matplotlib: the files that `savefig` writes."""

import os
from collections.abc import Mapping
from typing import Any

from matplotlib import figure, rcParams

from runlore.guest.wrapping import Wrappers
from runlore_scripts._files import record_written


def follow_figure(wrappers: Wrappers) -> None:
    """Follow `Figure.savefig`."""
    wrappers.follow(figure.Figure, "savefig", _saved_by_method)


def follow_pyplot(wrappers: Wrappers) -> None:
    """Follow `plt.savefig`."""
    from matplotlib import pyplot

    wrappers.follow(pyplot, "savefig", _saved)


def _saved_by_method(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    _saved(args[1:], kwargs, result)


def _saved(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    record_written(_written(args[0] if args else kwargs.get("fname"), kwargs.get("format")), "plot")


def _written(name: Any, format_: Any) -> Any:
    """Return the path that a figure was written to: a name without an ending gets one, unless a format is given."""
    if format_ is not None or not isinstance(name, str | os.PathLike) or os.path.splitext(name)[1]:  # noqa: PTH122  # as matplotlib does
        return name
    return f"{os.fspath(name).rstrip('.')}.{rcParams['savefig.format']}"
