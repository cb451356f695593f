"""Describing datasets: what is told, that one cell counts, and that odd data costs nothing."""

import copy
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from runlore import Store
from runlore.hookspecs import DataDescription
from runlore.plugins import data as module

NUMBERS = np.arange(600, dtype=np.float64).reshape(150, 4)


def describe(data: Any) -> DataDescription:
    found = module.runlore_describe_data(data)
    assert isinstance(found, DataDescription)
    return found


def fingerprint(data: Any) -> str | None:
    return describe(data).fingerprint


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "number": [1.0, 2.0, None],
            "text": ["a", "b", None],
            "mixed": pd.Series([1, "1", None], dtype=object),
            "kind": pd.Categorical(["x", "y", "x"]),
            "nullable": pd.array([1, None, 3], dtype="Int64"),
            "when": pd.to_datetime(["2026-01-01", "2026-01-02", None]),
            "flag": [True, False, True],
        }
    )


def test_an_array_is_described() -> None:
    data = NUMBERS.copy()
    data[3, 1] = np.nan
    found = describe(data)
    assert (found.kind, found.shape, found.dtypes, found.missing) == ("numpy.ndarray", (150, 4), "float64", 1)
    assert (found.size_bytes, found.sampled, len(found.fingerprint or "")) == (4800, False, 64)


def test_a_table_is_described() -> None:
    found = describe(frame())
    assert (found.kind, found.shape, found.missing) == ("pandas.DataFrame", (3, 7), 5)
    assert found.columns == ["number", "text", "mixed", "kind", "nullable", "when", "flag"]
    assert dict(zip(found.columns, found.dtypes, strict=True))["nullable"] == "Int64"
    other = describe(pl.DataFrame({"a": [1.0, None, float("nan")], "b": ["x", None, "y"]}))
    assert (other.kind, other.shape, other.missing, other.columns) == ("polars.DataFrame", (3, 2), 3, ["a", "b"])
    assert other.dtypes == ["Float64", "String"]


def test_a_sparse_matrix_is_described_whatever_its_form() -> None:
    dense = np.diag([1.0, 0.0, np.nan])
    found = describe(sp.csr_matrix(dense))
    assert (found.shape, found.missing, found.more["nonzero"]) == ((3, 3), 1, 2)
    assert fingerprint(sp.csr_matrix(dense)) == fingerprint(sp.csc_matrix(dense)) == fingerprint(sp.coo_array(dense))
    doubled = sp.coo_matrix(([1.0, 1.0], ([0, 0], [0, 0])), shape=(2, 2))
    assert fingerprint(doubled) == fingerprint(sp.csr_matrix(np.diag([2.0, 0.0])))
    assert len(doubled.data) == 2


def test_lists_are_described() -> None:
    assert describe([[1, 2], [3, 4]]).shape == (2, 2)
    assert describe(["a", None, "b"]).missing == 1
    assert describe([[1], [2, 3]]).shape == (2,)
    assert describe([]).shape == (0,)
    assert fingerprint([1, "1"]) != fingerprint(["1", 1])
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])


def changes() -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for dtype in ("float64", "float32", "int8", "bool", "complex128", "datetime64[s]", "U3", "object"):
        before = np.zeros((50, 3), dtype=dtype) if dtype != "datetime64[s]" else np.zeros((50, 3), "i8").astype(dtype)
        after = before.copy()
        after[49, 2] = "x" if dtype in ("U3", "object") else np.array(1, dtype="i8").astype(dtype)
        found.append((dtype, before, after))
    for column, value in (
        ("number", 9.0), ("text", "z"), ("mixed", "2"), ("kind", "y"), ("nullable", 7), ("flag", False),
        ("when", pd.Timestamp("2027-01-01")),
    ):  # fmt: skip
        before, after = frame(), frame()
        after.loc[2, column] = value
        found.append((f"pandas {column}", before, after))
    found.append(("pandas column name", frame(), frame().rename(columns={"number": "n"})))
    found.append(("pandas order", frame(), frame().iloc[::-1]))
    found.append(("polars number", pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 3]})))
    found.append(("polars null", pl.DataFrame({"a": [0, 2]}), pl.DataFrame({"a": [None, 2]})))
    found.append(("polars text", pl.DataFrame({"a": ["x", "y"]}), pl.DataFrame({"a": ["x", "z"]})))
    categories = [pl.Series(values, dtype=pl.Categorical) for values in (["x", "y"], ["x", "z"])]
    found.append(("polars categories", *categories))
    found.append(("sparse", sp.eye(5, format="csr"), sp.csr_matrix(np.diag([1.0, 1, 1, 1, 2]))))
    found.append(("list", [1, 2, 3], [1, 2, 4]))
    found.append(("1 is not '1'", np.array([1, "a"], dtype=object), np.array(["1", "a"], dtype=object)))
    found.append(("shape", np.zeros(6), np.zeros((2, 3))))
    found.append(("type", np.zeros(4, "f4"), np.zeros(2, "f8")))
    return found


@pytest.mark.parametrize(("what", "before", "after"), changes(), ids=[what for what, _, _ in changes()])
def test_a_change_of_one_cell_changes_the_fingerprint(what: str, before: Any, after: Any) -> None:
    assert fingerprint(before) == fingerprint(copy.deepcopy(before))
    assert fingerprint(before) != fingerprint(after)


@given(st.integers(1, 40), st.integers(1, 5), st.randoms(use_true_random=False))
def test_the_fingerprint_does_not_depend_on_the_layout_in_memory(
    rows: int, columns: int, chance: random.Random
) -> None:
    data = np.array([[chance.random() for _ in range(columns)] for _ in range(rows)])
    wide = np.zeros((rows * 2, columns * 2))
    wide[::2, ::2] = data
    assert fingerprint(data) == fingerprint(np.asfortranarray(data)) == fingerprint(wide[::2, ::2])


def test_a_memory_map_is_read_and_not_loaded(tmp_path: Path) -> None:
    mapped = np.memmap(tmp_path / "x.dat", dtype="f8", mode="w+", shape=(150, 4))
    mapped[:] = NUMBERS
    assert fingerprint(mapped) == fingerprint(NUMBERS)
    assert describe(mapped).kind == "numpy.memmap"


def test_a_larger_dataset_is_sampled_and_labelled_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HASHED_BYTES", 1000)
    monkeypatch.setattr(module, "SAMPLE_BYTES", 512)
    for make in (
        lambda data: data, pd.DataFrame, lambda data: pl.DataFrame(data, schema=list("abcd")), sp.csr_matrix,
    ):  # fmt: skip
        found = describe(make(NUMBERS))
        assert (found.sampled, found.missing) == (True, None)
        assert found.fingerprint == fingerprint(make(NUMBERS.copy()))
        assert found.fingerprint != fingerprint(make(NUMBERS + 1))


@pytest.mark.parametrize(
    "data",
    [
        np.empty((0, 4)), np.array(3.0), np.array([None, [1], {}], dtype=object), pd.DataFrame(), pl.DataFrame(),
        pd.DataFrame([[1, 2]], columns=["a", "a"]), pd.DataFrame({"a": [[1], {2}]}), np.zeros((2, 3, 4)),
        pd.DataFrame([1], index=pd.MultiIndex.from_tuples([(1, 2)])), sp.csr_matrix((0, 3)), pd.Series([1, 2]),
        np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]), np.ma.masked_array([1.0, 2.0], [True, False]),
        pl.DataFrame({"a": [[1, 2], [3]]}), (1, 2), [None], [np.zeros(2), np.zeros(3)],
        pd.DataFrame({"a": [1]}).set_index(pd.Index([float("nan")])),
    ],
)  # fmt: skip
def test_odd_data_is_described_without_a_warning(data: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(fingerprint(data) or "") == 64


@pytest.mark.parametrize("data", [(number for number in range(3)), "text", 3.0, {"a": 1}, None, object()])
def test_what_is_no_dataset_is_left_to_others_and_not_consumed(data: Any) -> None:
    assert module.runlore_describe_data(data) is None
    if hasattr(data, "__next__"):
        assert next(data) == 0


def test_data_is_not_changed() -> None:
    data = frame()
    describe(data)
    pd.testing.assert_frame_equal(data, frame())
    array = NUMBERS.copy()
    array.setflags(write=False)
    describe(array)
    assert (array == NUMBERS).all()


def test_a_run_tells_its_data_and_is_found_by_it(store: Store) -> None:
    with store.start_run("x") as run:
        run.log_data("X", NUMBERS)
        run.log_data("y", [0, 1, 2], classes=["a", "b", "c"])
    found = store.run("x").data
    assert found["X"]["shape"] == [150, 4]
    assert found["y"]["classes"] == ["a", "b", "c"]
    assert found["X"]["fingerprint"] == fingerprint(NUMBERS)
    assert [run.name for run in store.runs(f"data.X.fingerprint == {fingerprint(NUMBERS)!r}")] == ["x"]
    assert len(store.runs("data.X.rows >= 150 and data.X.missing == 0")) == 1
    assert len(store.runs("data.X.rows > 150")) == 0


class Unreadable:
    """Looks like an array and raises at every touch."""

    shape = (1, 2)

    def __len__(self) -> int:
        raise RuntimeError("broken")


@pytest.mark.parametrize("make", [Unreadable, lambda: (item for item in [1])])
def test_data_that_cannot_be_described_is_named_in_the_run(store: Store, make: Callable[[], Any]) -> None:
    with store.start_run("x") as run:
        run.log_data("X", make())
    assert [item["what"] for item in store.run("x").missing] == ["data X"]
