import inspect
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("catboost",)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Run each test in a thread of its own: an exception that passed through catboost stays its current one."""
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pyfuncitem.obj, **arguments).result()
    assert sys.exception() is None
    return True
