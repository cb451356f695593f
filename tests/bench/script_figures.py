"""What it costs that functions of a script's libraries are followed: a call of a library, and of the user's code."""

import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from tests.bench.figures import World, figure, floor

CALLS = 20_000
LIBRARY = """
def add(a, b=1): return a
def call(times):
    for _ in range(times): add(1, b=2)
"""


def library(folder: Path) -> ModuleType:
    """An installed module with a function that does nothing, and one that calls it."""
    place = folder / "site-packages" / "bench_library.py"
    place.parent.mkdir(exist_ok=True)
    place.write_text(LIBRARY)
    spec = importlib.util.spec_from_file_location("bench_library", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_library"] = module
    spec.loader.exec_module(module)
    return module


def nanoseconds(action: Callable[[int], object], times: int = CALLS) -> float:
    """CPU time of one of many calls, the lowest of some rounds."""
    found = []
    for _ in range(5):
        began = time.process_time_ns()
        action(times)
        found.append((time.process_time_ns() - began) / times)
    return min(found)


def calls(module: ModuleType) -> Callable[[int], None]:
    def action(times: int) -> None:
        for _ in range(times):
            module.add(1, b=2)

    return action


def followed(world: World) -> tuple[ModuleType, Any]:
    from runlore.guest.files.watch import read
    from runlore.guest.wrapping import Wrappers

    module, wrappers = library(world.folder), Wrappers()
    wrappers.follow(module, "add", lambda args, kwargs, result: read("in.csv", "add"))
    return module, wrappers


@floor("a call of a function that does nothing", "ns")
def bare_call(world: World) -> float:
    return nanoseconds(calls(library(world.folder)))


@figure("the same, followed, by a library", "ns", 2000, beside="a call of a function that does nothing")
def library_call(world: World) -> float:
    return nanoseconds(followed(world)[0].call)


@figure("the same, followed, by the user, without a run", "ns", 2000, beside="a call of a function that does nothing")
def users_call(world: World) -> float:
    return nanoseconds(calls(followed(world)[0]))


@figure("the same, followed, in a run, of a known file", "ns", 20_000, beside="a call of a function that does nothing")
def noted_call(world: World) -> float:
    import runlore

    (world.folder / "in.csv").write_text("1,2")
    with runlore.start_run(store=world.folder / "store"):
        return nanoseconds(calls(followed(world)[0]))
