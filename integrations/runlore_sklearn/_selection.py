"""Record what an estimator has chosen by a cross-validation of its own: the choice, and the scores that led to it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from runlore import FitSession
from runlore.guest.captured import Captured
from runlore_sklearn._metrics import record_curves

CHOICES = {
    "alpha_": "alpha", "l1_ratio_": "l1_ratio", "C_": "C", "n_features_": "n_features",
    "n_nonzero_coefs_": "n_nonzero_coefs", "best_threshold_": "threshold",
}  # fmt: skip  # fitted attributes, and what they are the best value of

Curves = Mapping[str, Any]  # columns of one length; the first names what was tried


def is_search(estimator: Any) -> bool:
    """Return True for what has tried candidates: other estimators have `cv_results_` of other kinds."""
    results = getattr(estimator, "cv_results_", None)
    return isinstance(results, Mapping) and "params" in results


def record_selection(session: FitSession, estimator: Any) -> None:
    """Record the choice as `best.…`, its score, and the curves of scores: by number of features, or by place."""
    if not any(cls.__name__.endswith("CV") for cls in type(estimator).__mro__) or is_search(estimator):
        return
    chosen = {name: _single(getattr(estimator, attribute, None)) for attribute, name in CHOICES.items()}
    session.params({f"best.{name}": Captured(value) for name, value in chosen.items() if value is not None})
    best = getattr(estimator, "best_score_", None)
    if np.isscalar(best):
        session.metrics({"best_score": best})
    curves = dict(next(_found_curves(estimator), {}))
    record_curves(session, curves, curves.pop("n_features", None))


def _found_curves(estimator: Any) -> Iterator[Curves]:
    """Yield what an estimator tells of the values that it tried, by the attributes that scikit-learn documents."""
    results = getattr(estimator, "cv_results_", None)
    if isinstance(results, Mapping):  # of RFECV, GraphicalLassoCV, TunedThresholdClassifierCV
        columns = {name: np.asarray(values) for name, values in results.items() if not name.endswith("_time")}
        yield {name: values for name, values in columns.items() if values.ndim == 1 and values.dtype.kind in "fiu"}
    elif results is not None and getattr(estimator, "scoring", None) is None:  # squared errors, of RidgeCV
        yield {"alphas": estimator.alphas, "mean_squared_error": _mean_but_last(results)}
    if hasattr(estimator, "mse_path_"):  # of the lasso and its kin
        yield _path_curves(estimator)
    if hasattr(estimator, "Cs_"):  # of LogisticRegressionCV
        yield _logistic_curves(estimator)


def _path_curves(estimator: Any) -> Curves:
    errors = np.asarray(estimator.mse_path_)
    alphas = np.asarray(getattr(estimator, "cv_alphas_", estimator.alphas_))
    if errors.ndim == 3:  # by l1_ratio, too: the curve of the best
        best = list(estimator.l1_ratio).index(estimator.l1_ratio_)
        errors, alphas = errors[best], alphas[best] if alphas.ndim == 2 else alphas
    alphas = alphas.ravel()
    if errors.ndim != 2 or len(errors) != len(alphas):
        return {}
    return {"alphas": alphas, "mean_mse": errors.mean(axis=1), "std_mse": errors.std(axis=1)}


def _logistic_curves(estimator: Any) -> Curves:
    scores = estimator.scores_
    if isinstance(scores, dict):  # by class, each with the same scores: folds, Cs and maybe l1_ratios
        found = np.asarray(next(iter(scores.values())))
        found = found[:, None, :] if found.ndim == 2 else np.swapaxes(found, 1, 2)
    else:
        found = np.asarray(scores)  # folds, l1_ratios, Cs
    best = 0
    if found.shape[1] > 1:
        best = list(estimator.l1_ratios_).index(_single(estimator.l1_ratio_))
    return {"Cs": estimator.Cs_, "mean_test_score": found[:, best].mean(0), "std_test_score": found[:, best].std(0)}


def _mean_but_last(values: Any) -> Any:
    found = np.asarray(values)
    return found.mean(axis=tuple(range(found.ndim - 1)))


def _single(value: Any) -> Any:
    """Return a number, or the one number that fills an array; other arrays as they are."""
    if value is None or np.isscalar(value):
        return value
    values = np.asarray(value).ravel().tolist()
    return values[0] if values and all(item == values[0] for item in values) else value
