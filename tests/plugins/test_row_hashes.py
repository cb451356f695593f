"""Hashes that tell the same rows in another order from other rows."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp

from runlore.analysis.row_diff import reordered
from runlore.log.values import facts_of
from runlore.plugins import data as module
from runlore.plugins import row_hashes
from tests.plugins.test_data import describe

ORDER = np.random.default_rng(0).permutation(900)
NUMBERS = np.random.default_rng(1).normal(size=(900, 5))
TEXTS = [f"text {number % 300}" for number in range(900)]
COLUMNS: dict[str, Any] = {
    "number": NUMBERS[:, 0], "whole": np.arange(900, dtype="i4") % 7, "flag": ORDER % 2 == 0, "text": TEXTS,
}  # fmt: skip


def facts(data: Any) -> Mapping[str, Any]:
    return facts_of(describe(data))


def told(a: Any, b: Any) -> str | None:
    found = reordered(facts(a), facts(b))
    return None if found is None else found.text


def frame() -> pd.DataFrame:
    made = pd.DataFrame(COLUMNS)
    made["kind"] = pd.Categorical(TEXTS)
    made["mixed"] = pd.Series([1, "1", None] * 300, dtype=object)
    made["nullable"] = pd.array([1, None, 3] * 300, dtype="Int64")
    return made


def changed(data: pd.DataFrame, column: str, value: Any) -> pd.DataFrame:
    other = data.copy()
    other.loc[5, column] = value
    return other


def polars_of(order: Any) -> pl.DataFrame:
    return pl.DataFrame({**COLUMNS, "null": [1.0, None, 2.0] * 300})[order.tolist()]


ALIKE: dict[str, tuple[Any, Any]] = {
    "floats": (NUMBERS, NUMBERS[ORDER]),
    "in another layout": (NUMBERS, np.asfortranarray(NUMBERS[ORDER])),
    "small whole numbers": (NUMBERS.round().astype("i1"), NUMBERS.round().astype("i1")[ORDER]),
    "halves": (NUMBERS.astype("f2"), NUMBERS.astype("f2")[ORDER]),
    "complex": (NUMBERS * 1j, (NUMBERS * 1j)[ORDER]),
    "images": (NUMBERS.reshape(90, 5, 10).astype("f4"), NUMBERS.reshape(90, 5, 10).astype("f4")[::-1]),
    "labels": (ORDER % 10, (ORDER % 10)[::-1]),
    "array of texts": (np.array(TEXTS), np.array(TEXTS)[ORDER]),
    "objects": (np.array([TEXTS, TEXTS], dtype=object).T, np.array([TEXTS, TEXTS], dtype=object).T[ORDER]),
    "list": (TEXTS, TEXTS[::-1]),
    "list of numbers": (list(range(9)), list(range(9))[::-1]),
    "frame": (frame(), frame().iloc[ORDER]),
    "frame with a new index": (frame(), frame().iloc[ORDER].reset_index(drop=True)),
    "column": (frame()["text"], frame()["text"].iloc[ORDER]),
    "polars": (polars_of(np.arange(900)), polars_of(ORDER)),
    "sparse": (sp.csr_matrix(NUMBERS.round()), sp.csr_matrix(NUMBERS.round()[ORDER])),
}
OTHER: dict[str, tuple[Any, Any]] = {
    "another value": (NUMBERS, np.where(NUMBERS[3, 3] == NUMBERS, 7, NUMBERS)[ORDER]),
    "labels at other rows": (
        np.column_stack([np.arange(900.0), ORDER % 2]), np.column_stack([np.arange(900.0), np.roll(ORDER % 2, 1)])
    ),
    "columns in another order": (NUMBERS.round(), NUMBERS.round()[:, ::-1][ORDER]),
    "a row twice, another never": (NUMBERS, NUMBERS[np.r_[0, 0, 2:900]]),
    "the same": (NUMBERS, NUMBERS.copy()),
    "another index": (frame(), frame().set_index(pd.RangeIndex(1, 901))),
    "another text": (frame(), changed(frame(), "text", "other").iloc[ORDER]),
    "another category": (frame(), changed(frame(), "kind", "text 9").iloc[ORDER]),
    "a number for a text": (frame(), changed(frame(), "mixed", 2).iloc[ORDER]),
    "a null": (frame(), changed(frame(), "nullable", 9).iloc[ORDER]),
    "sparse": (sp.csr_matrix(NUMBERS.round()), sp.csr_matrix(np.roll(NUMBERS.round(), 1))),
}  # fmt: skip


@pytest.mark.parametrize(("a", "b"), ALIKE.values(), ids=ALIKE)
def test_the_same_rows_in_another_order_are_told(a: Any, b: Any) -> None:
    assert describe(a).fingerprint != describe(b).fingerprint
    assert told(a, b) == f"the same {facts(a)['rows']:,} rows in another order"


@pytest.mark.parametrize(("a", "b"), OTHER.values(), ids=OTHER)
def test_other_rows_are_not_taken_for_the_same(a: Any, b: Any) -> None:
    assert told(a, b) is None


@pytest.mark.parametrize(("dtype", "one"), [("f4", 1), ("f2", 1), ("u1", 255), ("i2", 256), ("bool", 1), ("f8", 1)])
def test_another_class_in_rows_of_zeros_and_a_one_makes_other_rows(dtype: str, one: int) -> None:
    """Of 100 such rows of float32, six had the hash of another: a wrong label went unseen where rows had moved, too."""
    rows = np.eye(1000, dtype=dtype) * np.array(one, dtype)
    single = {str(facts(np.stack([row, rows[0]]))["rows_fingerprint"]) for row in rows[1:]}
    assert len(single) == 999


@pytest.mark.parametrize(
    "make", [lambda: NUMBERS, frame, lambda: polars_of(ORDER), lambda: sp.csr_matrix(NUMBERS), lambda: TEXTS]
)
@pytest.mark.parametrize("limit", ["MAX_ROWS", "MAX_BYTES", "MAX_TEXTS"])
def test_the_fingerprint_is_the_same_where_rows_are_not_hashed(
    make: Callable[[], Any], limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = describe(make())
    monkeypatch.setattr(row_hashes, limit, 100)
    after = describe(make())
    assert (after.fingerprint, after.missing) == (before.fingerprint, before.missing)
    assert "rows_fingerprint" in before.more
    assert "rows_fingerprint" not in after.more or limit != "MAX_ROWS"


def test_rows_of_a_sample_are_not_hashed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of other rows than before, a sample says nothing."""
    monkeypatch.setattr(module, "MAX_HASHED_BYTES", 1000)
    assert [describe(data).more for data in (NUMBERS, frame(), polars_of(ORDER))] == [{}, {}, {}]


def test_records_and_single_values_have_no_rows() -> None:
    records = np.array([(1, 2.0), (3, 4.0)], dtype=[("a", "i4"), ("b", "f8")])
    for data in (
        records,
        np.array(5.0),
        np.zeros((3, 0)),
        np.ones((1, 4)),
        np.ma.masked_less(NUMBERS, 0),
        NUMBERS.astype("longdouble"),
    ):
        assert describe(data).more == {}
