"""Describe the data that an estimator is fitted on, and copy what is small enough to be scored."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sklearn
from sklearn.utils.metadata_routing import MetadataRouter, get_routing_for_object

from runlore import FitSession

MAX_SCORED_ROWS = 10_000  # of training data that is scored
MAX_SCORED_BYTES = 64 << 20
MAX_CLASSES = 1_000  # whose names are recorded

Args = tuple[Any, ...]
Kwargs = Mapping[str, Any]
Named = dict[str, Any]  # arguments by name, X and y among them


@dataclass(slots=True)
class Sample:
    """Data to be scored: copies, as a fit may change its data in place. `others` are further arguments of `score`.

    `target` is None where the score needs none.
    """

    features: Any
    target: Any
    others: Named = field(default_factory=dict)


class NotScored(Exception):
    """There will be no score on the training data, for the reason that this says."""


def data_of(args: Args, kwargs: Kwargs) -> tuple[Any, Any]:
    """Return X and y of a call, given by position or by name."""
    return args[0] if args else kwargs.get("X"), args[1] if len(args) > 1 else kwargs.get("y")


def named_arguments(method: Callable[..., Any], args: Args, kwargs: Kwargs) -> Named:
    """Return the arguments of a call by name; the first two are X and y, whatever the method calls them."""
    named: Named = dict(zip(("X", "y"), data_of(args, kwargs), strict=True)) | dict(kwargs)
    if len(args) > 2:
        further = list(inspect.signature(method).parameters)[3:]  # behind self, X and y
        named |= dict(zip(further, args[2:], strict=False))
    return named


def record_data(session: FitSession, named: Named) -> str | None:
    """Describe X, y and what else of a call has rows, such as weights; return the fingerprint of X."""
    prints, rows = {}, _length(named.get("X"))
    for name, value in named.items():
        if value is not None and (name in ("X", "y") or _has_rows(value, rows)):
            prints[name] = session.data(name, value)
        for place, pair in enumerate(value if isinstance(value, list) else ()):
            if isinstance(pair, tuple) and all(map(_has_rows, pair)):  # a set of data to be evaluated on meanwhile
                for part, data in zip(("", ".y"), pair, strict=False):
                    session.data(f"{name}.{place}{part}", data)
    return prints.get("X")


def _length(data: Any) -> int | None:
    shape = getattr(data, "shape", None) or ((len(data),) if isinstance(data, list | tuple) else ())
    return int(shape[0]) if shape else None


def _has_rows(value: Any, rows: int | None = None) -> bool:
    """Return True for what holds data; a list of texts that is not as long as the `rows` names metrics, say."""
    if hasattr(value, "shape"):
        return True
    plain = (bool, int, float, str, list, type(None))
    if not isinstance(value, list) or not value or not isinstance(value[0], plain):
        return False
    return rows is None or len(value) == rows or not isinstance(value[0], str)


def record_classes(session: FitSession, estimator: Any) -> None:
    """Record the classes of y; those of several outputs are left out, as y's columns tell them apart."""
    classes = getattr(estimator, "classes_", None)
    if classes is not None and not isinstance(classes, list):
        session.data("y", n_classes=len(classes), classes=np.asarray(classes)[:MAX_CLASSES].tolist())


def sample_of(estimator: Any, named: Named) -> Sample | None:
    """Return a copy of the data that an estimator is fitted on; None where there is nothing to score.

    Raises:
        NotScored: it is too large, or can't be copied.
    """
    if named.get("X") is None or not hasattr(estimator, "score"):
        return None
    if named.get("y") is None and not _scores_alone(estimator):
        return None
    named = _labelled(estimator, named)
    features, target = _copy("X", named["X"]), None if named.get("y") is None else _copy("y", named["y"])
    others = score_arguments(estimator, {name: value for name, value in named.items() if name not in ("X", "y")})
    return Sample(features, target, {name: _copy(name, value) for name, value in others.items()})


def _labelled(estimator: Any, named: Named) -> Named:
    """Return the arguments of a fit with the rows alone that have a label, where -1 stands for none.

    Raises:
        NotScored: they can't be told from the others.
    """
    if not type(last_step(estimator)).__module__.startswith("sklearn.semi_supervised"):
        return named
    known = np.asarray(named["y"]) != -1
    if known.all():
        return named
    try:
        return {"X": named["X"][known], "y": np.asarray(named["y"])[known]}
    except Exception as error:  # of a list, say
        raise NotScored("rows without a label have no score") from error


def score_arguments(estimator: Any, others: Kwargs) -> Named:
    """Return what `score` takes, too, of a fit's further arguments: sample weights, metadata that is routed to it."""
    others = {name: value for name, value in others.items() if value is not None}
    if not others:
        return {}
    if sklearn.get_config()["enable_metadata_routing"]:
        routing = get_routing_for_object(estimator)
        if isinstance(routing, MetadataRouter):
            return {name: others[name] for name in routing.consumes("score", others)}
    weights = others.get(f"{_prefix_of_last(estimator)}sample_weight")
    takes_weights = weights is not None and "sample_weight" in inspect.signature(estimator.score).parameters
    return {"sample_weight": weights} if takes_weights else {}


def _scores_alone(estimator: Any) -> bool:
    """Return True if the `score` of an estimator needs no target, as of a clustering; of a pipeline its last step."""
    steps = getattr(estimator, "steps", None)
    if steps:
        return _scores_alone(steps[-1][1])
    others = list(inspect.signature(estimator.score).parameters.values())[1:]
    return all(other.default is not other.empty for other in others)


def _prefix_of_last(estimator: Any) -> str:
    """Return what stands before the name of an argument that is for the last step of a pipeline."""
    steps = getattr(estimator, "steps", None)
    return f"{steps[-1][0]}__{_prefix_of_last(steps[-1][1])}" if steps else ""


def last_step(estimator: Any) -> Any:
    """Return the last step of a pipeline, also of one within; else the estimator itself."""
    steps = getattr(estimator, "steps", None)
    return last_step(steps[-1][1]) if steps else estimator


def _copy(name: str, data: Any) -> Any:
    shape = getattr(data, "shape", None) or ((len(data),) if isinstance(data, list | tuple) else None)
    if shape and shape[0] > MAX_SCORED_ROWS:
        raise NotScored(f"{name} has {shape[0]:,} rows, and at most {MAX_SCORED_ROWS:,} are scored")
    if getattr(data, "nbytes", 0) > MAX_SCORED_BYTES:
        raise NotScored(f"{name} has more than {MAX_SCORED_BYTES >> 20} MiB")
    if isinstance(data, list | tuple):
        return [list(item) if isinstance(item, list) else item for item in data]
    copy = getattr(data, "copy", None) or getattr(data, "clone", None)
    if not shape or copy is None:
        raise NotScored(f"{name} is of class {type(data).__qualname__}, which can't be copied")
    return copy()
