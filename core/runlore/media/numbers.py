"""Histograms, confusion matrices, and curves of classifiers, of labels and scores."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BINS = 512
MAX_CLASSES = 100
MAX_CURVES = 20
MOST = 400  # points of a curve that are kept


def checked_bins(bins: int) -> int:
    """Return a number of bins.

    Raises:
        ValueError: it is out of its range.
    """
    if not 1 <= bins <= MAX_BINS:
        raise ValueError(f"bins is {bins}: it is from 1 to {MAX_BINS}")
    return bins


def histogram(values: "NDArray[Any]", bins: int) -> dict[str, Any]:
    """Return the counts of values in bins of equal width, and their edges; what is not finite is counted apart."""
    import numpy as np

    flat = values.astype(np.float64, copy=False).ravel()
    finite = flat[np.isfinite(flat)]
    counts, edges = np.histogram(finite, bins) if finite.size else (np.zeros(0, np.int64), np.zeros(0))
    others = {"not_finite": int(flat.size - finite.size)} if flat.size > finite.size else {}
    return {"edges": edges.tolist(), "counts": counts.tolist(), **others}


def confusion(true: Sequence[Any], predicted: Sequence[Any], labels: Sequence[Any] | None) -> dict[str, Any]:
    """Return how often each true label was predicted as each.

    Where `labels` are names and the given ones are whole numbers, these are the places of the names.

    Raises:
        ValueError: the lengths differ, a label is not among `labels`, or there are too many.
    """
    if len(true) != len(predicted):
        raise ValueError(f"{len(true):,} true labels and {len(predicted):,} predicted ones")
    classes = _classes([*true, *predicted], labels)
    places = {label: place for place, label in enumerate(classes)}
    matrix = [[0] * len(classes) for _ in classes]
    for one, other in zip(true, predicted, strict=True):
        for label in (one, other):
            if label not in places:
                raise ValueError(f"the label {label!r} is not among those that were given")
        matrix[places[one]][places[other]] += 1
    names = classes if labels is None else list(labels)
    return {"labels": [str(name) for name in names], "matrix": matrix}


def counted(matrix: "NDArray[Any]", labels: Sequence[Any] | None) -> dict[str, Any]:
    """Return a confusion matrix that was counted already, or made shares of.

    Raises:
        ValueError: it is not square, has not as many labels, is too large, or has numbers that are not finite.
    """
    import numpy as np

    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"matrix has shape {matrix.shape}: it has a row and a column for each class")
    if not np.isfinite(matrix).all():
        raise ValueError("matrix has numbers that are NaN or infinite")
    names = list(range(len(matrix))) if labels is None else list(labels)
    if len(names) != len(matrix):
        raise ValueError(f"{len(names)} labels for {len(matrix)} classes")
    return {"labels": [str(name) for name in _bounded(names)], "matrix": matrix.tolist()}


def curves(
    name: str, true: Sequence[Any], scores: "NDArray[Any]", labels: Sequence[Any] | None
) -> list[dict[str, Any]]:
    """Return for each class the curve of its scores against the other classes: x, y and the area.

    "roc" is the rate of true over that of false positives, with the area by trapezoids; "pr" is precision over recall,
    with the average precision, the sum of precisions weighted by the steps of recall, as in scikit-learn's.

    Raises:
        ValueError: the shapes do not fit, or there is no positive or no negative.
    """
    import numpy as np

    if scores.ndim not in (1, 2) or len(scores) != len(true):
        raise ValueError(f"{len(true):,} labels and scores of shape {scores.shape}")
    table = scores.reshape(len(scores), -1).astype(np.float64)
    if table.shape[1] == 1:
        positive = _classes(true, labels)[-1]
        return [_curve(name, np.array([label == positive for label in true]), table[:, 0], str(positive))]
    classes = list(range(table.shape[1])) if labels is None else list(labels)
    if len(classes) != table.shape[1]:
        raise ValueError(f"{len(classes)} labels for {table.shape[1]} columns of scores")
    found = []
    for place, label in list(enumerate(classes))[:MAX_CURVES]:
        is_own = np.array([value in (label, place) for value in true])
        if is_own.any() and not is_own.all():
            found.append(_curve(name, is_own, table[:, place], str(label)))
    if not found:
        raise ValueError("no class has both positives and negatives")
    return found


def lines(named: Mapping[str, tuple["NDArray[Any]", "NDArray[Any]"]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return curves of which the points are known, as x and y of each; and what was left out.

    Raises:
        ValueError: x and y of one have not as many numbers each.
    """
    import numpy as np

    found, losses = [], []
    for name, (x, y) in list(named.items())[:MAX_CURVES]:
        if x.ndim != 1 or x.shape != y.shape:
            raise ValueError(f"curve {name!r} has x of shape {x.shape} and y of shape {y.shape}")
        points = np.stack([x, y]).astype(np.float64)
        whole = points[:, np.isfinite(points).all(axis=0)]
        if len(x) > whole.shape[1]:
            losses.append(f"{len(x) - whole.shape[1]:,} points of curve {name!r} left out: they are not finite")
        kept = whole[:, _spread(whole.shape[1])]
        found.append({"name": name, "x": kept[0].tolist(), "y": kept[1].tolist()})
    if len(named) > MAX_CURVES:
        losses.append(f"{len(named) - MAX_CURVES} of {len(named)} curves left out: {MAX_CURVES} are kept")
    return found, losses


def _spread(count: int) -> "NDArray[np.int64]":
    """Return the places of at most `MOST` of so many points, at equal distances, the first and the last among them."""
    import numpy as np

    return np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(np.int64))


def _curve(name: str, positive: "NDArray[np.bool_]", scores: "NDArray[np.float64]", label: str) -> dict[str, Any]:
    import numpy as np

    if not np.isfinite(scores).all():
        raise ValueError("scores are NaN or infinite")
    if positive.all() or not positive.any():
        raise ValueError(f"no {'negative' if positive.all() else 'positive'} label: there is no curve")
    order = np.argsort(-scores, kind="stable")
    own = positive[order]
    last = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))  # the last of equal scores
    hits = np.cumsum(own)[last].astype(np.float64)
    false = last + 1 - hits
    if name == "roc":
        x = np.concatenate([[0.0], false / false[-1]])
        y = np.concatenate([[0.0], hits / hits[-1]])
        area = float(((x[1:] - x[:-1]) * (y[1:] + y[:-1])).sum() / 2)
    else:
        x = np.concatenate([[0.0], hits / hits[-1]])
        precision = hits / (last + 1)
        y = np.concatenate([[1.0], precision])
        area = float(((x[1:] - x[:-1]) * precision).sum())
    kept = _spread(len(x))
    return {"name": label, "x": x[kept].tolist(), "y": y[kept].tolist(), "area": area}


def _classes(values: Sequence[Any], labels: Sequence[Any] | None) -> list[Any]:
    """Return the classes that values are compared with, in their order."""
    known = set(values)
    if labels is None:
        found = sorted(known) if _are_sortable(known) else sorted(known, key=str)
    elif known <= set(labels):
        found = list(labels)
    else:
        found = list(range(len(labels)))
    return _bounded(found)


def _bounded(classes: list[Any]) -> list[Any]:
    if len(classes) > MAX_CLASSES:
        raise ValueError(f"{len(classes):,} classes: at most {MAX_CLASSES} are kept")
    return classes


def _are_sortable(values: set[Any]) -> bool:
    numbers = all(isinstance(value, int | float) and not math.isnan(value) for value in values)
    return numbers or all(isinstance(value, str) for value in values)
