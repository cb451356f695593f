"""Memory does not grow with the store, and what is new costs itself only."""

import shutil
from pathlib import Path

import pytest

from runlore import Store, open_store
from tests.bench.growth import QUESTIONS, ask, make
from tests.stress.growing import grow, make_templates, opened

MOST_MIB = 150


def check_memory(folder: Path, few: int, many: int) -> None:
    found: dict[str, list[float]] = {}
    for runs in (few, many):
        make(folder / str(runs), runs)
        for question in QUESTIONS:
            found.setdefault(question, []).append(ask(question, folder / str(runs))[1])
    for question, (before, after) in found.items():
        assert after < MOST_MIB, (question, found)
        assert after < before + MOST_MIB / 3, (question, found)
    shutil.rmtree(folder)


@pytest.mark.stress
def test_memory_does_not_grow_with_the_store(tmp_path: Path) -> None:
    check_memory(tmp_path / "stores", 500, 3_000)


@pytest.mark.stress
@pytest.mark.long
def test_memory_does_not_grow_with_a_large_store(tmp_path: Path) -> None:
    check_memory(tmp_path / "stores", 10_000, 100_000)


@pytest.mark.stress
def test_one_new_run_opens_no_other(store: Store, tmp_path: Path) -> None:
    templates = make_templates(store, params=3)
    grow(store.root, templates, 1_000, 5)
    reader = open_store(store.root)
    assert len(reader.runs()) == 1_010
    grow(store.root, templates[:1], 1, 1)
    found: set[str] = set()
    with opened(found):
        assert len(reader.runs()) == 1_011
    assert len(found) == 1
