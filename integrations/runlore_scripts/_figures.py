"""Figures of matplotlib: the files that `savefig` writes, and what `plt.show` would show where nothing can be shown."""

import hashlib
import io
import os
import pickle
from collections.abc import Mapping
from typing import Any

from matplotlib import figure, rcParams
from matplotlib._pylab_helpers import Gcf  # `plt.figure(number)` would make it the current one

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.files.watch import wrote
from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import argument

BACKENDS = ("agg", "cairo", "pdf", "pgf", "ps", "svg", "template")  # that show nothing
TO_PYPLOT = "_restore_to_pylab"  # tells a figure that is unpickled to become one of pyplot's
MAX_SHOWN = 200  # pictures of a run


def follow_figure(wrappers: Wrappers) -> None:
    """Follow `Figure.savefig`, by which those of pyplot and of other libraries save."""
    wrappers.follow(figure.Figure, "savefig", _saved)


def follow_pyplot(wrappers: Wrappers) -> None:
    """Follow `plt.show`."""
    from matplotlib import pyplot

    wrappers.follow(pyplot, "show", _shown)


def _saved(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    name = argument(args, kwargs, 1, "fname")
    if kwargs.get("format") is None and isinstance(name, str | os.PathLike):
        path = os.fspath(name)
        has_ending = os.path.splitext(path)[1] not in ("", ".")  # noqa: PTH122  # as matplotlib asks
        name = path if has_ending else f"{path.rstrip('.')}.{rcParams['savefig.format']}"
    wrote(name, "plot")


class _Shown(guest.Part):
    """The pictures that were shown, by run."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, None]] = {}


def _shown(args: tuple[Any, ...], kwargs: Mapping[str, Any], result: object) -> None:
    """Keep a picture of each figure of pyplot, unless it is the same as one before."""
    from matplotlib import pyplot

    run = guest.open_run()
    if run is None or pyplot.get_backend().lower() not in BACKENDS:
        return
    known = guest.part(_Shown).hashes.setdefault(run.id, {})
    for manager in Gcf.get_all_fig_managers():
        if len(known) >= MAX_SHOWN:
            return
        try:
            with guest.without_trace(draws=True):
                picture = _picture_of(manager.canvas.figure)
        except Exception as error:  # a figure may hold anything of the user's, such as functions that can't be copied
            run.log_missing("figure", f"plt.show(): {type(error).__name__}: {error}")
            continue
        sha256 = hashlib.sha256(picture).hexdigest()
        if sha256 not in known:
            known[sha256] = None
            Additions(run).keep_bytes(picture, name=f"figure-{len(known)}.png", kind="plot")


class _Copier(pickle.Pickler):
    """Copies a figure without a trace in pyplot, which would know the copy, too."""

    def __init__(self, original: figure.Figure, target: io.BytesIO) -> None:
        super().__init__(target, protocol=5)
        self._original = original

    def reducer_override(self, item: Any) -> Any:
        """Return how the figure itself is copied; all else as ever."""
        if item is not self._original:
            return NotImplemented
        made: Any = item.__reduce_ex__(5)
        make, given, state, *rest = made
        return make, given, {key: value for key, value in state.items() if key != TO_PYPLOT}, *rest


def _picture_of(original: figure.Figure) -> bytes:
    """Return a figure as PNG, drawn from a copy: to draw it moves axes, and so would change what is saved later."""
    copied, picture = io.BytesIO(), io.BytesIO()
    _Copier(original, copied).dump(original)
    copy = pickle.loads(copied.getvalue())
    copy.savefig(picture, format="png", dpi="figure")
    return picture.getvalue()
