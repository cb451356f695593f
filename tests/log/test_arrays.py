"""Arrays and tensors as params: their content counts, which their repr does not show."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas
import pytest
import torch

from runlore.log.values import describe, flatten, text_of


def frame(values: list[float]) -> pandas.DataFrame:
    return pandas.DataFrame({"x": values})


def sparse(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64).to_sparse()


def column(values: list[float]) -> Any:
    return pytest.importorskip("polars").Series(values)


def table(values: list[float]) -> Any:
    return pytest.importorskip("polars").DataFrame({"x": values, "text": "a"})


def arrow(values: list[float]) -> Any:
    return pytest.importorskip("pyarrow").table({"x": values})


def scipy_rows(values: list[float]) -> Any:
    return pytest.importorskip("scipy.sparse").csr_array(np.array([values]) + 1)


class Weighted:
    def __init__(self, weights: list[float]) -> None:
        self.weights = np.array(weights)


MAKERS = [np.array, torch.tensor, pandas.Series, frame, sparse, column, table, arrow, scipy_rows, Weighted]


@pytest.mark.parametrize("make", MAKERS)
def test_arrays_differ_where_they_differ(make: Callable[[Any], Any]) -> None:
    """Their repr shows neither the midst of a long one nor all digits."""
    values = [0.0] * 2000
    other = [*values[:1000], 1e-12, *values[1001:]]
    assert describe(make(values)) == describe(make(list(values)))
    assert text_of(describe(make(values))) != text_of(describe(make(other)))


@pytest.mark.parametrize("make", [lambda item: [item], lambda item: (1, {"weights": item}), lambda item: {"w": [item]}])
def test_arrays_within_lists_and_mappings_count_too(make: Callable[[Any], Any]) -> None:
    """The repr of a list elides what its arrays hold."""
    zeros, other = np.zeros(2000), np.zeros(2000)
    other[1000] = 1e-12
    assert flatten({"x": make(zeros)}) == flatten({"x": make(zeros.copy())})
    assert flatten({"x": make(zeros)}) != flatten({"x": make(other)})


@pytest.mark.parametrize("value", [np.float32(0.1), np.float16(0.1), torch.tensor(0.1), np.array(0.1, "f4")])
def test_a_number_of_fewer_bits_is_the_one_that_people_wrote(value: Any) -> None:
    """It read 0.10000000149011612, which `params.lr == 0.1` did not find."""
    assert describe(value) == 0.1


@pytest.mark.parametrize("value", [3.4028234663852886e38, 1e-45, 0.0, 16777217.0, 1 / 3])
def test_a_number_of_fewer_bits_stays_itself(value: float) -> None:
    found = describe(np.float32(value))
    assert isinstance(found, float)
    assert np.float32(found) == np.float32(value)


def test_tensors_of_every_kind_have_a_hash() -> None:
    for tensor in (torch.zeros(3, requires_grad=True), torch.zeros(3, dtype=torch.bfloat16), torch.zeros(3, 3).T):
        assert "sha256:" in text_of(describe(tensor))


class Plain:
    pass


def test_an_array_of_objects_is_told_by_no_place_in_memory() -> None:
    one, other = (np.array([Plain(), Plain()], dtype=object) for _ in range(2))
    assert describe(one) == describe(other)
