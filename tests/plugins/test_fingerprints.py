"""Fingerprints of data count every cell, and nothing but cells."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from runlore.plugins.data import runlore_describe_data


def fingerprint(data: Any) -> Any:
    found = runlore_describe_data(data)
    return found and found.fingerprint


def changed_inside(make: Callable[[Any], Any]) -> bool:
    """Whether a change in the middle of an array inside some data changes the fingerprint."""
    array = np.arange(3000.0)
    before = fingerprint(make(array.copy()))
    assert before == fingerprint(make(array.copy()))
    array[1500] += 1e-9
    return bool(before != fingerprint(make(array)))


@pytest.mark.parametrize(
    "make",
    [
        lambda array: pd.DataFrame({"e": [array, array]}),
        lambda array: np.array([array, "x"], dtype=object),
        lambda array: [array, array[:5]],
        lambda array: [pd.Series(array), {"deep": [array]}],
        lambda array: pl.DataFrame({"o": pl.Series([array], dtype=pl.Object)}),
        lambda array: [pl.Series(array)],
    ],
)
def test_one_cell_counts_wherever_it_stands(make: Callable[[Any], Any]) -> None:
    """Arrays within objects once counted by their repr, which leaves out the middle."""
    assert changed_inside(make)


def test_masks_large_numbers_and_unused_bytes_are_told_apart() -> None:
    """Masks once did not count, integers were rounded, and bytes between fields did count."""
    data, mask = np.zeros(3), np.array([True, False, False])
    assert fingerprint(np.ma.array(data, mask=mask)) != fingerprint(np.ma.array(data, mask=~mask))
    assert fingerprint([-1, 2**63]) != fingerprint([-1, 2**63 + 2])
    assert fingerprint([0.5, 2**53]) != fingerprint([0.5, 2**53 + 1])
    kind = np.dtype([("a", "i1"), ("b", "f8")], align=True)
    padded = [np.frombuffer(fill * kind.itemsize * 2, kind).copy() for fill in (b"\0", b"\xff")]
    for array in padded:
        array["a"], array["b"] = [1, 2], [0.5, 1.5]
    assert fingerprint(padded[0]) == fingerprint(padded[1])


def test_wide_nested_and_endless_data_is_described_in_time() -> None:
    """Thousands of columns once took seconds, a list that holds itself for ever."""
    wide = runlore_describe_data(pd.DataFrame(np.zeros((20, 20_000))))
    assert wide is not None
    assert wide.shape == (20, 20_000)
    endless: list[Any] = []
    endless.append(endless)
    assert fingerprint(endless)
    assert fingerprint(pd.DataFrame({"a": pd.array([[1.0, 2.0], [3.0]], dtype=object)}))
