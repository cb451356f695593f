"""Keras's own tests of its callbacks have the same outcome, test by test, with autolog on as with it off."""

from pathlib import Path

import keras
import pytest

from runlore import Store
from tests.upstream import both, differing

TESTS = sorted((Path(keras.__file__).parent / "src" / "callbacks").glob("*_test.py"))


@pytest.mark.stress
def test_its_own_tests_come_to_the_same(store: Store, tmp_path: Path) -> None:
    off, on = both(TESTS, tmp_path)
    assert len(TESTS) > 10
    assert differing(off, on) == {}
    assert list(on.values()).count("passed") > 40
    assert len(store.runs()) > 20
    assert len(store.runs("status == 'running'")) == 0
