import inspect
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.quiet import without_foreign_warnings

__all__ = ["without_foreign_warnings"]


@pytest.fixture(scope="session")
def warm_modules() -> tuple[str, ...]:
    return ("catboost",)


CTRL_C = "test_after_ctrl_c_the_next_training_is_recorded"
IN_MAIN = (CTRL_C, "test_a_worker_of_the_training_makes_no_run")  # which send signals and fork


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run tests in threads of their own: an exception that passed through catboost stays current in its thread."""
    if pyfuncitem.originalname in IN_MAIN:
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pyfuncitem.obj, **arguments).result()
    return True


@pytest.fixture(autouse=True)
def no_exception_stays(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    assert sys.exception() is None or CTRL_C in request.node.name


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent and CTRL_C in item.name:
            item.add_marker(pytest.mark.stress)  # its exception would be there in later tests of the worker
