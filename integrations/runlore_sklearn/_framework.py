"""scikit-learn itself: its name, the versions that were tested, and the private names that we need."""

from typing import Any

NAME = "sklearn"
TESTED = ("1.8", "1.9")
DISPLAYS = ("sklearn.metrics", "sklearn.calibration", "sklearn.model_selection")  # modules that have some
VALIDATIONS = {  # private functions of sklearn.model_selection._validation that pools call, and what they are part of
    "_fit_and_score": "cross-validation",
    "_fit_and_predict": "cross_val_predict",
    "_permutation_test_score": "permutation_test_score",
    "_incremental_fit_estimator": "incremental learning_curve",
}


def check_version() -> None:
    """Warn of a version that runlore was not tested with."""
    import sklearn

    from runlore.guest import wrapping  # late: the plugin, which every run loads, imports this file

    wrapping.check_version("scikit-learn", sklearn.__version__, TESTED)


def task_class() -> Any:
    """Return the class of the tasks of `Parallel`, in which a task runs in its thread; None if it is gone."""
    from sklearn.utils import parallel

    return getattr(parallel, "_FuncWrapper", None)


def validation_of(task: Any) -> str | None:
    """Return the kind of cross-validation that a task of joblib is part of; None for any other task."""
    function = getattr(task[0], "function", None) if isinstance(task, tuple) and len(task) == 3 else None
    if getattr(function, "__module__", None) != "sklearn.model_selection._validation":
        return None
    return VALIDATIONS.get(getattr(function, "__name__", ""), "validation")
