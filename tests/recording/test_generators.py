"""Global random generators that are not the usual ones."""

from collections.abc import Callable

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


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
