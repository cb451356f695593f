"""The figures of the log: what a training pays for a call, and a reader for a series."""

import math
import random
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.bench.figures import World, figure, floor, timed

if TYPE_CHECKING:
    from runlore.recording.run import Run
    from runlore.store.store import Store

CALLS = 10_000
KEYS = ("loss", "acc", "lr", "grad_norm", "tokens")


# The tight loop

LOOP = """
import os, sys, time
import runlore
kind, calls = sys.argv[1], int(sys.argv[2])
values = [0.5, 0.25, 1e-3, 1.5, 4096.0]
if kind == "numpy":
    import numpy
    values = [numpy.float32(value) for value in values]
if kind == "torch":
    import torch
    values = [torch.tensor(value) for value in values]
metrics = dict(zip(("loss", "acc", "lr", "grad_norm", "tokens"), values))
clock = time.perf_counter_ns
took = []
if kind == "floor":
    file = os.open("floor.bin", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    data = b"x" * 80
    for step in range(calls):
        began = clock()
        os.write(file, data)
        took.append(clock() - began)
else:
    run = runlore.start_run()
    time.sleep(0.3)  # the look at the environment is over
    for step in range(calls):
        began = clock()
        run.log_metrics(metrics, step)
        took.append(clock() - began)
took.sort()
print(took[len(took) // 2] / 1e3, took[int(len(took) * 0.99)] / 1e3)
"""


def loop(world: World, kind: str, place: int) -> float:
    return float(world.python(LOOP, kind, str(CALLS)).split()[place])


@floor("one os.write of 80 bytes, median", "µs")
def write_median(world: World) -> float:
    return loop(world, "floor", 0)


@floor("one os.write of 80 bytes, p99", "µs")
def write_p99(world: World) -> float:
    return loop(world, "floor", 1)


@figure("log_metrics of five floats, median of 10,000", "µs", 5, beside="one os.write of 80 bytes, median")
def log_median(world: World) -> float:
    return loop(world, "float", 0)


@figure("log_metrics of five floats, p99", "µs", 30, beside="one os.write of 80 bytes, p99")
def log_p99(world: World) -> float:
    return loop(world, "float", 1)


@figure("log_metrics of five numpy scalars, median", "µs", 10, beside="one os.write of 80 bytes, median")
def log_numpy(world: World) -> float:
    return loop(world, "numpy", 0)


@figure("log_metrics of five torch scalars, median", "µs", 10, beside="one os.write of 80 bytes, median")
def log_torch(world: World) -> float:
    return loop(world, "torch", 0)


# Whole runs

WHOLE = """
import time, runlore
began = time.perf_counter()
with runlore.start_run() as run:
    for step in range(10_000):
        run.log_metrics({"loss": 1 / (step + 1), "acc": step * 1e-4, "lr": 1e-3, "norm": 1.5, "tokens": 4096.0}, step)
print(time.perf_counter() - began)
"""


@figure("10,000 × 5 points, start through finish", "s", 0.2, beside="10,000 × json.dumps and os.write")
def whole_run(world: World) -> float:
    return float(world.python(WHOLE))


DUMPED = """
import json, os, time
began = time.perf_counter()
fd = os.open("rows.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for step in range(10_000):
    row = {"loss": 1 / (step + 1), "acc": step * 1e-4, "lr": 1e-3, "norm": 1.5, "tokens": 4096.0, "step": step}
    os.write(fd, json.dumps(row).encode())
print(time.perf_counter() - began)
"""


@floor("10,000 × json.dumps and os.write", "s")
def dumped_rows(world: World) -> float:
    return float(world.python(DUMPED))


MANY_RUNS = """
import time, runlore
began = time.perf_counter()
params = {f"param_{number}": number for number in range(10)}
for number in range(1_000):
    with runlore.start_run(params=params) as run:
        for step in range(20):
            run.log_metrics({"loss": 1 / (step + 1), "val_loss": 0.5, "acc": 0.1}, step)
print(time.perf_counter() - began)
"""


@figure("1,000 runs of 10 params and 20 × 3 points", "s", 2, beside="1,000 files written, flushed and renamed")
def many_runs(world: World) -> float:
    return float(world.python(MANY_RUNS))


FILES = """
import os, time
began = time.perf_counter()
for number in range(1_000):
    fd = os.open(f"{number}.tmp", os.O_WRONLY | os.O_CREAT)
    os.write(fd, b"x" * 1200)
    os.fsync(fd)
    os.close(fd)
    os.rename(f"{number}.tmp", f"{number}.run")
print(time.perf_counter() - began)
"""


@floor("1,000 files written, flushed and renamed", "s")
def many_files(world: World) -> float:
    return float(world.python(FILES))


MEMORY = """
import sys
if sys.argv[1] != "bare":
    import runlore
    run = runlore.start_run()
    for step in range(int(sys.argv[1])):
        run.log_metrics({"loss": 0.5, "acc": 0.1, "lr": 1e-3, "norm": 1.5, "tokens": 4096.0}, step)
    run.finish()
# ru_maxrss would count what the process was before exec
print(next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024)
"""


@floor("peak memory of bare Python", "MiB")
def memory_bare(world: World) -> float:
    return float(world.python(MEMORY, "bare"))


@figure("peak memory of a writer, 10,000 calls", "MiB", 35, beside="peak memory of bare Python")
def memory_short(world: World) -> float:
    return float(world.python(MEMORY, "10000"))


@figure("peak memory of a writer, 300,000 calls", "MiB", 35, beside="peak memory of bare Python")
def memory_long(world: World) -> float:
    return float(world.python(MEMORY, "300000"))


# Series


@floor("numpy.load of 100,000 float64", "ms")
def bare_numpy(world: World) -> float:
    import numpy

    numpy.save(world.folder / "floor.npy", numpy.zeros(100_000))
    return timed(lambda: numpy.load(world.folder / "floor.npy"))


@cache
def long_runs() -> Path:
    """A run of 100,000 points, and one of 120,000 points of each of four keys that was resumed in their middle."""
    import runlore

    store = runlore.open_store(Path(tempfile.mkdtemp(prefix="runlore-bench-")) / "store")
    chance = random.Random(0)
    with store.start_run("long") as run:
        for step in range(100_000):
            run.log_metrics({"loss": chance.random()}, step)
    run = store.start_run("resumed")
    for step in range(120_000):
        run.log_metrics({key: chance.random() for key in KEYS[:4]}, step)
        if step == 59_999:
            run.finish("failed")
            run = store.start_run(resume=run.id, at_step=step)
    run.finish()
    store.reindex()
    return store.root


def first_series(name: str) -> float:
    """Milliseconds to the values of a metric of a run of which only the index was asked."""
    import runlore

    store = runlore.open_store(long_runs())
    runs = iter([store.run(name) for _ in range(6)])
    return timed(lambda: next(runs).metrics["loss"].values)


@figure("a series of 100,000 points, warm", "ms", 10, beside="numpy.load of 100,000 float64")
def read_series(world: World) -> float:
    return first_series("long")


@figure("a series of 120,000 points, one of four, of a resumed run", "ms", 15, beside="numpy.load of 100,000 float64")
def read_resumed_series(world: World) -> float:
    return first_series("resumed")


# A long run that is still written

LIVE = 1_000_000  # points
SOME = 1_000  # that come between two looks


@cache
def live_run() -> "Run":
    """A run of a million points that goes on."""
    import runlore

    run = runlore.open_store(Path(tempfile.mkdtemp(prefix="runlore-bench-")) / "store").start_run("live")
    for step in range(LIVE):
        run.log_metrics({"loss": math.sin(step / 1000)}, step)
    return run


def live_curve(**options: Any) -> float:
    """Milliseconds of CPU to a curve, behind some new points."""
    from runlore.analysis.curves import curve_of

    run = live_run()
    store = run_store(run)
    step = store.run("live").metrics["loss"].last_step
    for more in range(SOME):
        run.log_metrics({"loss": 0.5}, step + 1 + more)
    return cpu(lambda: curve_of(store.run("live"), "loss", **options))


def cpu(action: Callable[[], object]) -> float:
    """Milliseconds of this process's CPU, which other processes don't change much."""
    began = time.process_time()
    action()
    return (time.process_time() - began) * 1e3


def run_store(run: "Run") -> "Store":
    import runlore

    assert run.run_log.writer is not None
    return runlore.open_store(run.run_log.writer.path.parents[3])


@floor("48 MB of a log read, CPU", "ms")
def bare_log(world: World) -> float:
    writer = live_run().run_log.writer
    assert writer is not None
    return cpu(writer.path.read_bytes)


@figure("a live run of 1,000,000 points: its first curve, CPU", "ms", 2000, beside="48 MB of a log read, CPU")
def first_live_curve(world: World) -> float:
    from runlore._process import process
    from runlore.log.long.growth import Growths

    live_run()
    process.part(Growths).forget()
    return live_curve()


@figure(
    "a live run of 1,000,000 points: its curve, 1,000 points later, CPU", "ms", 100, beside="48 MB of a log read, CPU"
)
def next_live_curve(world: World) -> float:
    live_curve()
    return live_curve()


@figure("a live run of 1,000,000 points: 10,000 of them, zoomed, CPU", "ms", 100, beside="48 MB of a log read, CPU")
def live_zoom(world: World) -> float:
    live_curve()
    return live_curve(begin=500_000, end=510_000)


SEALING = """
import os, runlore, time
run = runlore.start_run("dead")
for step in range(1_000_000):
    run.log_metrics({"loss": step * 0.1}, step)
os._exit(9)
"""


@figure("1,000,000 points of a dead run sealed by parts, CPU", "ms", 3000, beside="48 MB of a log read, CPU")
def seal_long(world: World) -> float:
    import subprocess
    import sys

    import runlore

    subprocess.run([sys.executable, "-c", SEALING], env=world.environment(), cwd=world.folder, check=False)
    store = runlore.open_store(world.folder / "store")

    def look() -> None:
        while list(store.root.rglob("*.log")):
            store.runs(limit=1)

    return cpu(look)


# Size on disk


def bytes_per_point(world: World, values: Callable[[int], list[list[float]]]) -> float:
    import runlore

    store = runlore.open_store(world.folder / "store")
    rows = values(CALLS)
    with store.start_run() as run:
        for step, row in enumerate(rows):
            run.log_metrics(dict(zip(KEYS, row, strict=True)), step)
    (path,) = store.root.rglob("*.run")
    return path.stat().st_size / (len(rows) * len(KEYS))


@figure("sealed, noisy float64", "B/point", 7, beside="raw float64")
def size_float64(world: World) -> float:
    chance = random.Random(0)

    def losses(count: int) -> list[list[float]]:
        return [[math.exp(-step / 4000) * (1 + 0.1 * chance.gauss(0, 1)) for _ in KEYS] for step in range(count)]

    return bytes_per_point(world, losses)


@figure("sealed, noisy float32", "B/point", 5, beside="raw float64")
def size_float32(world: World) -> float:
    import numpy

    chance = numpy.random.default_rng(0)
    noise = (0.1 * chance.normal(size=(CALLS, len(KEYS))) + 1).astype(numpy.float32).astype(float).tolist()
    return bytes_per_point(world, lambda count: noise[:count])


@floor("raw float64", "B/point")
def size_raw(world: World) -> float:
    return 8.0
