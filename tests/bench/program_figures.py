"""What `runlore run` costs a program: at its start and end, where it imports, and where it prints."""

import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from resource import RUSAGE_CHILDREN, getrusage

from tests.bench.figures import World, figure, floor
from tests.programs.test_corpus import CORPUS

RUN = [sys.executable, "-m", "runlore", "run"]
TORCH = [sys.executable, "-c", "import torch"]
PYTHONS = 50
MANY_PYTHONS = ["sh", "-c", f'for i in $(seq {PYTHONS}); do "$0" -c pass; done', sys.executable]
PROGRAM = [sys.executable, str(CORPUS / "keras_fit.py")]
TIMES = 3  # of each, interleaved: the fastest of both are compared
PRINTS = """
import statistics, sys, time
found = []
for number in range(20_000):
    began = time.perf_counter_ns()
    print("epoch 3: loss 0.231 val_acc 91.2%", number, flush=True)
    found.append(time.perf_counter_ns() - began)
sys.stderr.write(str(statistics.median(found) / 1e3))
"""


def fastest(measure: Callable[[list[str]], float], *commands: list[str]) -> list[float]:
    """The least that is measured of each command, interleaved."""
    rounds = [[measure(command) for command in commands] for _ in range(TIMES)]
    return [min(times) for times in zip(*rounds, strict=True)]


def cpu(world: World, command: list[str]) -> float:
    """Milliseconds of CPU of a command and all below it."""
    before = getrusage(RUSAGE_CHILDREN)
    world.wall(command)
    after = getrusage(RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3


@floor("`true`", "ms")
def bare_true(world: World) -> float:
    return world.wall(["true"])


@figure("`runlore run true`, over `true`", "ms", 150, beside="`true`")
def run_true(world: World) -> float:
    bare, recorded = fastest(world.wall, ["true"], [*RUN, "true"])
    return recorded - bare


@floor("`python -c 'import torch'`", "ms")
def bare_torch(world: World) -> float:
    return world.wall(TORCH)


@figure("`runlore run python -c 'import torch'`, over without", "%", 3, beside="`python -c 'import torch'`")
def run_torch(world: World) -> float:
    bare, recorded = fastest(world.wall, TORCH, [*RUN, *TORCH])
    return (recorded / bare - 1) * 100


@figure("`runlore run python -c 'import torch'`, CPU over without", "ms", beside="`python -c 'import torch'`")
def run_torch_cpu(world: World) -> float:
    bare, recorded = fastest(partial(cpu, world), TORCH, [*RUN, *TORCH])
    return recorded - bare


@figure("`runlore run`: CPU of a Python below it that trains nothing, over without", "ms", 5, beside="bare Python")
def run_python_cpu(world: World) -> float:
    """The least of both, of many Pythons that one program starts."""
    bare, recorded = fastest(partial(cpu, world), MANY_PYTHONS, [*RUN, *MANY_PYTHONS])
    alone, with_us = fastest(partial(cpu, world), ["true"], [*RUN, "true"])
    return (recorded - bare - (with_us - alone)) / PYTHONS


@floor("a program of the tests, CPU", "ms")
def bare_program(world: World) -> float:
    return cpu(world, PROGRAM)


@figure("`runlore run` of that program, CPU over without", "%", 2, beside="a program of the tests, CPU")
def run_program_cpu(world: World) -> float:
    bare, recorded = fastest(partial(cpu, world), PROGRAM, [*RUN, *PROGRAM])
    return (recorded / bare - 1) * 100


def printing(world: World, start: list[str]) -> float:
    """Microseconds of a flushed print into a pipe that is read, the median."""
    command = [*start, sys.executable, "-c", PRINTS]
    done = subprocess.run(command, env=world.environment(), cwd=world.folder, capture_output=True, check=True)
    return float(done.stderr)


@floor("a flushed print into a pipe", "µs")
def bare_print(world: World) -> float:
    return printing(world, [])


@figure("a flushed print under `runlore run`, over without", "µs", 2, beside="a flushed print into a pipe")
def run_print(world: World) -> float:
    pairs = [(printing(world, []), printing(world, RUN)) for _ in range(TIMES)]
    return statistics.median(recorded - bare for bare, recorded in pairs)
