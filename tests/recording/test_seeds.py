"""Tests of the seeds that a run records."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from runlore import Store
from runlore.hookspecs import hookimpl
from runlore.plugins.manager import plugins
from runlore.recording import seeds as recording_seeds
from tests.process import Process

Python = Callable[..., Process]


def seeds() -> dict[str, Any]:
    return recording_seeds.seeds(plugins(), lambda plugin, error: pytest.fail(str(error)))


def test_the_seeds_that_are_known_are_recorded_and_nothing_is_drawn() -> None:
    np.random.seed(1234)
    random.seed(5)
    before = (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]
    first = seeds()
    assert (first["numpy_seed"], first["python_seed"]) == (1234, 5)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]
    assert seeds() == first
    np.random.rand()
    random.random()
    second = seeds()
    assert not {"numpy_seed", "python_seed"} & set(second)
    assert second["numpy_state"] != first["numpy_state"]
    assert second["python_state"] != first["python_state"]


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1, 2**32, 2**70, 3.5, "word", b"x" * 200])
def test_a_state_that_a_seed_made_is_told_from_one_of_entropy(seed: Any) -> None:
    words = recording_seeds.seed_words(random.Random(seed).getstate()[1][:-1])
    assert words is not None
    if isinstance(seed, int):
        assert sum(word << 32 * place for place, word in enumerate(words)) == seed
    assert recording_seeds.seed_words(random.Random().getstate()[1][:-1]) is None


@pytest.mark.parametrize("seed", ["7", "[1, 2]"])
def test_a_generator_of_numpy_that_somebody_put_there_is_not_unseeded(store: Store, python: Python, seed: str) -> None:
    python(f"""
        import numpy as np, runlore
        np.random.set_bit_generator(np.random.MT19937({seed}))
        runlore.start_run("x").finish()
    """).succeed()
    assert len(store.run("x").environment["seeds"]["numpy_state"]) == 16


def test_generators_that_nobody_touched_are_unseeded(store: Store, python: Python) -> None:
    python("import numpy.random, runlore\nrunlore.start_run('x').finish()", PYTHONHASHSEED="0").succeed()
    for draw in ("rand()", "randint(10)"):  # two words of the state, and one
        python(f"import numpy, runlore\nnumpy.random.{draw}\nrunlore.start_run('{draw}').finish()").succeed()
        assert len(store.run(draw).environment["seeds"]["numpy_state"]) == 16
    told = store.run("x").environment["seeds"]
    assert {key: told[key] for key in ("python_state", "numpy_state")} == {
        "python_state": "unseeded", "numpy_state": "unseeded"
    }  # fmt: skip


def test_a_plugin_that_fails_to_tell_seeds_costs_only_its_own(store: Store, runlore_plugins: Any) -> None:
    class Failing:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            raise ValueError("no dice")

    class Wrong:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            return 7

    class Telling:
        @hookimpl
        def runlore_capture_seeds(self) -> Any:
            return {"dice_seed": 6}

    for plugin in (Failing(), Wrong(), Telling()):
        runlore_plugins(plugin)
    with store.start_run("a"):
        pass
    run = store.run("a")
    assert run.environment["seeds"]["dice_seed"] == 6
    assert "python_state" in run.environment["seeds"]
    told = {item["what"]: item["why"] for item in run.missing}
    assert [why for what, why in told.items() if what.startswith("seeds from")] == [
        "ValueError: no dice", "TypeError: 'int' object is not iterable",
    ]  # fmt: skip


def test_runs_that_start_close_together_have_seeds_of_their_own(store: Store) -> None:
    np.random.seed(1)
    store.start_run("a").finish()
    np.random.seed(2)
    store.start_run("b").finish()
    assert [store.run(name).environment["seeds"]["numpy_seed"] for name in "ab"] == [1, 2]


def test_another_global_generator_of_numpy_warns_nobody(store: Store, python: Python) -> None:
    """numpy warns who asks it for the state of a generator of the usual kind."""
    process = python("""
        import warnings
        import numpy as np
        np.random.set_bit_generator(np.random.PCG64(1))
        warnings.simplefilter("error")
        import runlore
        runlore.start_run("x").finish()
    """)
    process.succeed()
    assert "numpy_state" not in store.run("x").environment["seeds"]


def test_a_generator_that_nobody_has_imported_is_unseeded(python: Python, store: Store) -> None:
    python("import sys, runlore; runlore.start_run('a').finish(); assert 'random' not in sys.modules").succeed()
    assert store.run("a").environment["seeds"]["python_state"] == "unseeded"
