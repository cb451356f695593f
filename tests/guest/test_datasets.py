"""What tells one dataset from another."""

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from runlore.guest import datasets, guards
from runlore.guest.datasets import content_of


class Rows:
    def __init__(self, **attributes: Any) -> None:
        vars(self).update(attributes)

    def __len__(self) -> int:
        return 7


class Others(Rows):
    pass


X = np.arange(40.0).reshape(20, 2)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Rows(x=X), Rows(x=X + 1)),
        (Rows(x=X), Others(x=X)),
        (Rows(root=Path("train")), Rows(root=Path("test"))),
        (Rows(split="train"), Rows(split="test")),
        (Rows(table=pd.DataFrame(X)), Rows(table=pd.DataFrame(X[::-1]))),
        (Rows(dataset=Rows(x=X), indices=[1, 2]), Rows(dataset=Rows(x=X), indices=[1, 3])),
        (Rows(files={"a": [Path("1")]}), Rows(files={"a": [Path("2")]})),
        ([X, X], [X, X + 1]),
        (Rows(indices=list(range(9000))), Rows(indices=[*range(8998), 9000, 8999])),
    ],
)
def test_other_content_is_told_apart_and_the_same_is_not(a: Any, b: Any) -> None:
    assert content_of(a) is not None
    assert content_of(a) != content_of(b)
    again = [X.copy(), X.copy()] if isinstance(a, list) else type(a)(**vars(a))
    assert content_of(again) == content_of(a)


@pytest.mark.parametrize(
    "data",
    [
        Rows(), Rows(factor=2.0), (number for number in range(3)), Rows(x=X, lock=threading.Lock()), Rows(x=object()),
        None, 5,
    ],
)  # fmt: skip
def test_what_tells_nothing_has_no_content(data: Any) -> None:
    assert content_of(data) is None


def test_what_holds_itself_or_raises_has_no_content() -> None:
    circle = Rows(x=X)
    circle.itself = circle  # type: ignore[attr-defined]

    class Broken:
        def __len__(self) -> int:
            raise RuntimeError("mine")

    assert content_of(circle) is None
    assert content_of(Broken()) is None


def test_much_data_is_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "MAX_BYTES", 100)
    monkeypatch.setattr(datasets, "MAX_ITEMS", 10)
    many = [(f"{number}.png", number) for number in range(10_000)]
    assert content_of(Rows(x=X, names=many)) == content_of(Rows(x=X.copy(), names=list(many)))
    assert content_of(Rows(names=many)) != content_of(Rows(names=many[:-1]))


def test_of_a_large_array_whole_blocks_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step through the rows would read all of a file that is mapped into memory."""
    monkeypatch.setattr(datasets, "MAX_BYTES", 8000)
    seen: list[Any] = []
    describe = guards.describe

    def noted(data: Any) -> Any:
        seen.append(data)
        return describe(data)

    monkeypatch.setattr(guards, "describe", noted)
    large = np.arange(1_000_000, dtype="i8")
    assert content_of(Rows(x=large)) == content_of(Rows(x=large.copy())) != content_of(Rows(x=large + 1))
    assert content_of(Rows(x=large)) != content_of(Rows(x=np.append(large[:-1], 0))), "the last row counts"
    assert {(item.nbytes <= 8000 // 16, item.flags.c_contiguous) for item in seen} == {(True, True)}


def test_what_is_read_when_it_is_asked_for_is_not_asked() -> None:
    """An array of h5py was read and unpacked from its first row to its last, a shelf loaded whole."""
    asked: list[object] = []

    class Lazy:
        shape = (1000, 1000)
        nbytes = datasets.MAX_BYTES + 1

        def __len__(self) -> int:
            return 1000

        def __getitem__(self, key: object) -> Any:
            asked.append(key)
            return X

    class Shelf(Mapping[str, Any]):
        def __len__(self) -> int:
            return 3

        def __iter__(self) -> Iterator[str]:
            return iter("abc")

        def __getitem__(self, key: str) -> Any:
            asked.append(key)
            return X

    content_of(Rows(x=Lazy()))
    content_of(Rows(x=Shelf()))
    assert asked == []


def test_many_arrays_and_large_sets_are_looked_at_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of what fills the memory was hashed at each evaluation: a minute for 64 GB."""
    monkeypatch.setattr(datasets, "MAX_TOTAL", 10_000)
    monkeypatch.setattr(datasets, "SMALL", 1_000)
    read = []
    describe = guards.describe

    def noted(data: Any) -> Any:
        read.append(data.nbytes)
        return describe(data)

    monkeypatch.setattr(guards, "describe", noted)
    arrays = [np.full(1000, place) for place in range(20)]
    assert content_of(arrays) == content_of([array.copy() for array in arrays])
    assert content_of(arrays) != content_of([*arrays[:-1], np.zeros(1000)])
    assert sum(read) < 4 * (10_000 + 8_000 + 20 * 1_000)
    names = {f"{number}.png" for number in range(100_000)}
    assert content_of(Rows(x=X, names=names)) == content_of(Rows(x=X, names={*names}))
    assert content_of(Rows(x=X, names=names)) != content_of(Rows(x=X, names={*names, "more"}))
    assert content_of(Rows(names=names)) is None
