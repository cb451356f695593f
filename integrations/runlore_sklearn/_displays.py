"""Keep what displays of scikit-learn plot: their numbers, as media, of which the page draws charts of its own."""

import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import partial
from typing import Any, NamedTuple

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import ByIdentity, Wrappers, as_written
from runlore_sklearn._data import Args, Kwargs
from runlore_sklearn._evaluation import Evaluated, evaluated
from runlore_sklearn._methods import is_inner_score

Keep = Callable[[Any, str], None]  # run and key


class Kept(NamedTuple):
    """The key of what a display plots, and what keeps it."""

    key: str
    of: Callable[[Any], Keep]


class Axes(NamedTuple):
    """The attributes of a display that have x and y of its curves, what the axes are, and the area below a curve."""

    across: str
    upwards: str
    x: str
    y: str
    area: str = ""
    what: str = ""


def _matrix(display: Any) -> Keep:
    matrix, labels = display.confusion_matrix, display.display_labels
    return lambda run, key: run.log_confusion_matrix(key, matrix=matrix, labels=labels)


def _curves(axes: Axes, display: Any) -> Keep:
    """Return what keeps the curves of a display, the area of each in its name."""
    xs, ys = (_listed(getattr(display, name)) for name in (axes.across, axes.upwards))
    names, areas = (_listed(value, len(xs)) for value in (_name_of(display), getattr(display, axes.area, None)))
    titles = [_title(name, value, axes.what) for name, value in zip(names, areas, strict=True)]
    numbered = [title if titles.count(title) == 1 else f"{title} {place}" for place, title in enumerate(titles)]
    points = dict(zip(numbered, zip(xs, ys, strict=True), strict=True))
    return lambda run, key: run.log_curves(key, points, x=axes.x, y=axes.y)


def _scores(sizes: str, name: str, display: Any) -> Keep:
    """Return what keeps the mean scores of a validation over training sizes, or over the values of a parameter."""
    across = getattr(display, sizes)
    scores = {"train": display.train_scores, "test": display.test_scores}
    points = {split: (across, of_folds.mean(axis=1)) for split, of_folds in scores.items()}
    x = str(getattr(display, name, "training examples"))
    return lambda run, key: run.log_curves(key, points, x=x, y=display.score_name or "score")


def _title(name: Any, area: float | None, what: str) -> str:
    told = "" if area is None else f"{what} {area:.4g}"
    return f"{name} ({told})" if name and told else str(name or told)


ROC = Axes("fpr", "tpr", "false positive rate", "true positive rate", "roc_auc", "AUC")
PR = Axes("recall", "precision", "recall", "precision", "average_precision", "AP")
DET = Axes("fpr", "fnr", "false positive rate", "false negative rate")
CALIBRATION = Axes("prob_pred", "prob_true", "mean predicted probability", "share of positives")
KEPT: Mapping[str, Kept] = {
    "ConfusionMatrixDisplay": Kept("confusion_matrix", _matrix),
    "RocCurveDisplay": Kept("roc_curve", partial(_curves, ROC)),
    "PrecisionRecallDisplay": Kept("precision_recall_curve", partial(_curves, PR)),
    "DetCurveDisplay": Kept("det_curve", partial(_curves, DET)),
    "CalibrationDisplay": Kept("calibration_curve", partial(_curves, CALIBRATION)),
    "LearningCurveDisplay": Kept("learning_curve", partial(_scores, "train_sizes", "")),
    "ValidationCurveDisplay": Kept("validation_curve", partial(_scores, "param_range", "param_name")),
}


class _Call(NamedTuple):
    """A display's class method that evaluates an estimator on X and y."""

    estimator: Any
    args: Args
    kwargs: Kwargs
    written: Any


class Displays(guest.Part):
    """The wrapped methods of displays by module, and the displays that are kept already."""

    inherited = True

    def __init__(self) -> None:
        self.wrappers: dict[str, Wrappers] = {}
        self.kept: ByIdentity[bool] = ByIdentity()


_call: ContextVar[_Call | None] = ContextVar("runlore_sklearn_display", default=None)


def follow(module: str) -> None:
    """Keep from now on what the displays of an imported module plot; twice is once."""
    wrappers = guest.part(Displays).wrappers.setdefault(module, Wrappers())
    displays = [] if wrappers else [vars(sys.modules[module]).get(name) for name in KEPT]
    for display in filter(None, displays):
        wrappers.wrap(display, "from_estimator", _from_estimator)
        wrappers.wrap(display, "plot", _plot)


def leave() -> None:
    """Put the methods back."""
    for wrappers in guest.part(Displays).wrappers.values():
        wrappers.restore()


@guest.unseen
def _from_estimator(original: Callable[..., Any], cls: Any, estimator: Any, *args: Any, **kwargs: Any) -> Any:
    before = _call.set(_Call(estimator, args, kwargs, as_written(1, "X")))
    try:
        return original(cls, estimator, *args, **kwargs)
    finally:
        _call.reset(before)


@guest.unseen
def _plot(original: Callable[..., Any], display: Any, *args: Any, **kwargs: Any) -> Any:
    result = original(display, *args, **kwargs)
    _record(display)
    return result


def _record(display: Any) -> None:
    """Keep what a display has plotted: in the run of the estimator that it shows, else in the user's open run."""
    known = guest.part(Displays).kept
    if is_inner_score() or known.get(display):
        return
    known.set(display, True)
    kept = next(KEPT[base.__name__] for base in type(display).__mro__ if base.__name__ in KEPT)
    keep, found, run = kept.of(display), _evaluated(), guest.open_run()
    if found is not None:
        key = f"train_{kept.key}" if found.ending is None else f"test_{kept.key}{found.ending}"
        found.recorder.media(lambda run: keep(run, key), asked=False)
    elif run is not None:
        Additions(run).media(lambda run: keep(run, kept.key), asked=False)


def _evaluated() -> Evaluated | None:
    call = _call.get()
    return None if call is None else evaluated(call.estimator, call.args, call.kwargs, call.written)


def _name_of(display: Any) -> Any:
    """Return what a display calls its estimator, or a list of names; versions differ."""
    return getattr(display, "name", None) or getattr(display, "estimator_name", None)


def _listed(value: Any, count: int = 1) -> list[Any]:
    """Return the value of each of several curves: a display with one curve has it alone."""
    return list(value) if isinstance(value, list | tuple) else [value] * count
