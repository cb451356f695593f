"""Random forests that tell which columns of numbers matter for values, measured on values that they have not seen."""

import time
from collections.abc import Mapping, Sequence

from runlore import guest
from runlore.errors import MissingDependency
from runlore.hookspecs import Importance

FOLDS = 5  # parts of the values, each predicted by a forest of the others
TREES = 60
SHUFFLES = 5  # of each column


def measure(columns: Mapping[str, Sequence[float]], values: Sequence[float], seconds: float) -> Importance:
    """Fit forests and shuffle each column (Breiman 2001) within the part that a forest has not seen.

    Once the time is up the remaining parts are left out.

    Raises:
        MissingDependency: scikit-learn is not installed.
    """
    try:
        from sklearn.ensemble import RandomForestRegressor
        from sklearn.inspection import permutation_importance
        from sklearn.model_selection import KFold
    except ImportError:
        raise MissingDependency("the importance of params needs scikit-learn: pip install 'runlore[sklearn]'") from None
    import numpy as np

    table, target = np.column_stack([np.asarray(column, float) for column in columns.values()]), np.asarray(values)
    end = time.monotonic() + seconds
    lost, missed, spread = [], [], []
    with guest.unrecorded():
        for fitted, unseen in KFold(FOLDS, shuffle=True, random_state=0).split(table):
            forest = RandomForestRegressor(TREES, random_state=0).fit(table[fitted], target[fitted])
            found = permutation_importance(
                forest, table[unseen], target[unseen], scoring="neg_mean_squared_error", n_repeats=SHUFFLES,
                random_state=0,
            )  # fmt: skip
            lost.append(found.importances_mean * len(unseen))
            missed += list((forest.predict(table[unseen]) - target[unseen]) ** 2)
            spread += list((target[unseen] - target.mean()) ** 2)
            if time.monotonic() > end:
                break
    total = sum(spread) or 1.0
    shares = np.sum(lost, axis=0) / total
    return Importance(dict(zip(columns, map(float, shares), strict=True)), float(1 - sum(missed) / total))
