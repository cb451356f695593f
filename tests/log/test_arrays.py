"""Arrays and tensors as params: their content counts, which their repr does not show."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from runlore.log.values import describe, text_of


def frame(values: list[float]) -> pandas.DataFrame:
    return pandas.DataFrame({"x": values})


@pytest.mark.parametrize("make", [np.array, torch.tensor, pandas.Series, frame])
def test_arrays_differ_where_they_differ(make: Callable[[Any], Any]) -> None:
    """Their repr shows neither the midst of a long one nor all digits."""
    values = [0.0] * 2000
    other = [*values[:1000], 1e-12, *values[1001:]]
    assert describe(make(values)) == describe(make(list(values)))
    assert text_of(describe(make(values))) != text_of(describe(make(other)))


def test_tensors_of_every_kind_have_a_hash() -> None:
    for tensor in (torch.zeros(3, requires_grad=True), torch.zeros(3, dtype=torch.bfloat16), torch.zeros(3, 3).T):
        assert "sha256:" in text_of(describe(tensor))
