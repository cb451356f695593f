"""The runs that queries are asked about."""

import math
from typing import Any

from runlore import Store

VALUES: list[Any] = [None, True, 0, 1, 2.5, -1, "a", "b", "10", math.nan, [1, 2]]


def numbers(store: Store, where: str, **options: Any) -> list[int]:
    """The numbers of the runs that fulfil a query."""
    return [run.params["n"] for run in store.runs(where, **options)]
