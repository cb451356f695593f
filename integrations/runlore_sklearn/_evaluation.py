"""Add the score on other data to the run that fitted the estimator, and describe that data."""

from typing import Any

import numpy as np

from runlore import guest
from runlore.guest.additions import Additions
from runlore_sklearn._data import Args, Kwargs, data_of
from runlore_sklearn._owners import owners

MAX_DESCRIBED = 5  # sets of data that an estimator is scored on


def record_score(estimator: Any, args: Args, kwargs: Kwargs, score: Any) -> None:
    """Add a score, unless it is that of the training data; never raises."""
    owner = owners().of(estimator)
    if owner is None or not np.isscalar(score):
        return
    additions = Additions(owner.session.run)
    described = len(owner.tested_on)
    if described < MAX_DESCRIBED:
        data = guest.describe(data_of(args, kwargs)[0])
        if data is not None and data.fingerprint == owner.trained_on:
            return
        if data is not None and data.fingerprint not in owner.tested_on:
            owner.tested_on.append(data.fingerprint)
            additions.data("test" if not described else f"test_{described + 1}", data)
    additions.metrics({"test_score": score}, split="test")
