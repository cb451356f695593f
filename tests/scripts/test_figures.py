"""Figures that a script saves are artifacts of the current run, and the files are those that it would write anyway."""

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib
import numpy as np
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


def pictures(store: Store) -> list[bytes]:
    (found,) = store.runs()
    return [item.read_bytes() for item in found.artifacts if item.kind == "plot"]


def test_what_show_would_show_is_kept_in_order(store: Store, on: Callable[..., Autolog]) -> None:
    on("matplotlib")
    with runlore.start_run():
        plt.plot([1, 2])
        plt.show()
        plt.show()  # the same picture
        plt.figure()
        plt.plot([2, 1])
        plt.show()
    assert names(store) == ["figure-1.png", "figure-2.png"]
    first, second = pictures(store)
    assert first.startswith(b"\x89PNG")
    assert first != second


def test_what_is_shown_leaves_no_trace(store: Store, on: Callable[..., Autolog], tmp_path: Path) -> None:
    def script(name: str, *, shown: bool) -> bytes:
        random.seed(3)
        np.random.seed(3)
        figure, axes = plt.subplots(layout="constrained")
        axes.plot([1, 2])
        axes.set_title("a long title that the layout has to find room for\n" * 3)
        if shown:
            plt.show()
        state = (plt.get_fignums(), plt.gcf() is figure, figure.stale, axes.get_position().bounds, random.random())
        plt.savefig(name)
        plt.close(figure)
        return (tmp_path / name).read_bytes() + repr((state, np.random.random())).encode()

    bare = script("bare.png", shown=False)
    on("matplotlib")
    with runlore.start_run():
        assert script("ours.png", shown=True) == bare


def test_a_figure_that_can_not_be_copied_is_named(store: Store, on: Callable[..., Autolog]) -> None:
    on("matplotlib")
    with runlore.start_run():
        plt.gca().xaxis.set_major_formatter(lambda value, place: "x")
        plt.show()
    (found,) = store.runs()
    assert [item["what"] for item in found.missing] == ["figure"]
    assert names(store) == []
