"""Keras's own tests of callbacks and training come to the same, test by test, with autolog on as with it off."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest

from runlore import Store
from tests.upstream.outcomes import both, differing

FOUND = find_spec("keras")
assert FOUND is not None
PLACE = Path(str(FOUND.origin)).parent / "src"
SUITES = {"callbacks": "callbacks/*_test.py", "training": "trainers/trainer_test.py"}  # where they lie in the wheel


@pytest.mark.stress
@pytest.mark.parametrize("suite", SUITES)
def test_its_own_tests_come_to_the_same(suite: str, store: Store, tmp_path: Path) -> None:
    off, on = both(sorted(PLACE.glob(SUITES[suite])), tmp_path, KERAS_BACKEND=os.environ.get("KERAS_BACKEND", "torch"))
    assert differing(off, on) == {}
    assert list(on.values()).count("passed") > 40
    assert len(store.runs()) > 20
    assert len(store.runs("status == 'running'")) == 0
