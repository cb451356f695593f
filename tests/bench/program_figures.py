"""What `runlore run` costs a program: at its start and end, where it imports, and where it prints."""

import statistics
import subprocess
import sys
from resource import RUSAGE_CHILDREN, getrusage

from tests.bench.figures import World, figure, floor

RUN = [sys.executable, "-m", "runlore", "run"]
TORCH = [sys.executable, "-c", "import torch"]
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


def fastest(world: World, *commands: list[str]) -> list[float]:
    """The fastest time of each command in milliseconds, interleaved."""
    rounds = [[world.wall(command) for command in commands] for _ in range(TIMES)]
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
    bare, recorded = fastest(world, ["true"], [*RUN, "true"])
    return recorded - bare


@floor("`python -c 'import torch'`", "ms")
def bare_torch(world: World) -> float:
    return world.wall(TORCH)


@figure("`runlore run python -c 'import torch'`, over without", "%", 3, beside="`python -c 'import torch'`")
def run_torch(world: World) -> float:
    bare, recorded = fastest(world, TORCH, [*RUN, *TORCH])
    return (recorded / bare - 1) * 100


@figure("`runlore run python -c 'import torch'`, CPU over without", "ms", beside="`python -c 'import torch'`")
def run_torch_cpu(world: World) -> float:
    bare, recorded = (min(cpu(world, command) for _ in range(TIMES)) for command in (TORCH, [*RUN, *TORCH]))
    return recorded - bare


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
