"""Figures that a script saves are artifacts of the current run, and the files are those that it would write anyway."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import pytest

import runlore
from runlore import Store
from runlore.plugins.autolog import Autolog

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  # behind the choice of the backend


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    plt.close("all")


def names(store: Store) -> list[str]:
    (found,) = store.runs()
    return [item.name for item in found.artifacts if item.kind == "plot"]


def test_what_savefig_writes_is_kept_by_its_content(store: Store, on: Callable[..., Autolog], tmp_path: Path) -> None:
    on("matplotlib")
    with runlore.start_run():
        plt.plot([1, 2])
        plt.savefig("curve.png")
        plt.gcf().savefig(tmp_path / "other.svg")
        plt.savefig("bare", dpi=20)
        plt.savefig("named", format="pdf")
        plt.savefig(io.BytesIO())
    assert names(store) == ["curve.png", "other.svg", "bare.png", "named"]
    (found,) = store.runs()
    for name in names(store):
        assert found.artifact(name).read_bytes() == (tmp_path / name).read_bytes()


def test_without_a_run_nothing_is_recorded(store: Store, on: Callable[..., Autolog], tmp_path: Path) -> None:
    on("matplotlib")
    plt.savefig("curve.png")
    assert not store.exists or not store.runs()
