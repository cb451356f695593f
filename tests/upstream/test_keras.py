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
SUITES = {  # by name: where its tests lie in the wheel, and how many pass at least
    "callbacks": ("callbacks/*_test.py", 40),
    "training": ("trainers/trainer_test.py", 10),
}
CHOICE = """
def pytest_collection_modifyitems(items):  # what compiles takes minutes
    trainer = [item for item in items if item.path.name == "trainer_test.py"]
    items[:] = [item for item in items if item not in trainer or "eager" in item.name and "jit" not in item.name]
"""


@pytest.mark.stress
@pytest.mark.parametrize("suite", SUITES)
def test_its_own_tests_come_to_the_same(suite: str, store: Store, tmp_path: Path) -> None:
    if suite == "training":
        pytest.importorskip("jax")  # its module imports it, whatever the backend is
    place, passed = SUITES[suite]
    backend = os.environ.get("KERAS_BACKEND", "torch")
    off, on = both(sorted(PLACE.glob(place)), tmp_path, more=CHOICE, KERAS_BACKEND=backend)
    assert differing(off, on) == {}
    assert list(on.values()).count("passed") > passed
    assert len(store.runs()) > passed / 2
    assert len(store.runs("status == 'running'")) == 0
