"""The figures. Each returns one number; a floor does the least that the same result needs, without runlore."""

import math
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CALLS = 10_000
RUNS = 1_000
MANY = 10_000
KEYS = ("loss", "acc", "lr", "grad_norm", "tokens")

FIGURES: "list[Figure]" = []


@dataclass(frozen=True)
class World:
    """A fresh folder, and which round this is."""

    folder: Path
    round: int

    def environment(self) -> dict[str, str]:
        settings = {"RUNLORE_STORE": str(self.folder / "store"), "RUNLORE_QUIET": "1"}
        compiled = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        return compiled | settings  # as an installed package is: its modules are not compiled at every start

    def python(self, script: str, *arguments: str) -> str:
        """What a script prints, in a process of its own."""
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            env=self.environment(), cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    def wall(self, command: list[str], **environment: str) -> float:
        """Milliseconds that a command takes."""
        began = time.perf_counter()
        subprocess.run(command, env={**self.environment(), **environment}, cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        return (time.perf_counter() - began) * 1e3


@dataclass(frozen=True)
class Figure:
    """A name, what it may be at the most, and the name of the floor beside it; a floor has neither."""

    name: str
    unit: str
    target: float | None
    beside: str | None
    measure: Callable[[World], float]


Measure = Callable[[World], float]


def figure(name: str, unit: str, target: float | None = None, *, beside: str) -> Callable[[Measure], Measure]:
    def register(measure: Measure) -> Measure:
        FIGURES.append(Figure(name, unit, target, beside, measure))
        return measure

    return register


def floor(name: str, unit: str) -> Callable[[Measure], Measure]:
    def register(measure: Measure) -> Measure:
        FIGURES.append(Figure(name, unit, None, None, measure))
        return measure

    return register


# Starting


@floor("bare Python", "ms")
def bare_python(world: World) -> float:
    return world.wall([sys.executable, "-c", "pass"])


@figure("`import runlore`, over bare Python", "ms", 60, beside="bare Python")
def import_runlore(world: World) -> float:
    return world.wall([sys.executable, "-c", "import runlore"]) - bare_python(world)


@figure("`from runlore import start_run`, over bare Python", "ms", beside="bare Python")
def import_start_run(world: World) -> float:
    return world.wall([sys.executable, "-c", "from runlore import start_run"]) - bare_python(world)


@figure("import, start_run and first log, over bare Python", "ms", 150, beside="bare Python")
def first_log(world: World) -> float:
    script = "import runlore; r = runlore.start_run(); r.log_metrics({'loss': 1.0}); import os; os._exit(0)"
    return world.wall([sys.executable, "-c", script]) - bare_python(world)


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


# Reading


@cache
def large_store() -> Path:
    """10,000 runs of 10 params and three metrics, made once."""
    import tempfile

    import runlore

    os.environ["RUNLORE_QUIET"] = "1"
    folder = Path(tempfile.mkdtemp(prefix="runlore-bench-")) / "store"
    store = runlore.open_store(folder)
    chance = random.Random(0)
    for _ in range(MANY):
        params = {f"param_{number}": chance.random() for number in range(8)}
        params |= {"lr": chance.random(), "model": chance.choice(["svm", "forest", "mlp"])}  # type: ignore[dict-item]
        with store.start_run(params=params) as run:
            for step in range(3):
                run.log_metrics({"loss": chance.random(), "val_loss": chance.random(), "acc": chance.random()}, step)
    store.runs(limit=1)
    for path in store.root.rglob("runs/*/*"):
        os.utime(path, (time.time() - 100, time.time() - 100))
    store.runs(limit=1)
    return folder


def timed(action: Callable[[], object], times: int = 5) -> float:
    """The median of some calls, in milliseconds, the first left out."""
    action()
    found = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        found.append((time.perf_counter() - began) * 1e3)
    return statistics.median(found)


@figure("first index of 10,000 runs", "s", 3, beside="10,000 files opened and read")
def first_index(world: World) -> float:
    import runlore

    (large_store() / "index-v1.sqlite").unlink()
    began = time.perf_counter()
    runlore.open_store(large_store()).runs(limit=1)
    took = time.perf_counter() - began
    runlore.open_store(large_store()).runs(limit=1)
    return took


@floor("10,000 files opened and read", "s")
def read_files(world: World) -> float:
    began = time.perf_counter()
    for path in large_store().rglob("*.run"):
        path.read_bytes()
    return time.perf_counter() - began


@floor("one os.stat", "ms")
def one_stat(world: World) -> float:
    return timed(lambda: large_store().stat())


@floor("ten of 10,000 rows in SQLite, by an index", "ms")
def bare_sqlite(world: World) -> float:
    database = sqlite3.connect(world.folder / "floor.sqlite")
    database.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, value REAL)")
    database.executemany("INSERT INTO rows VALUES (?, ?)", ((number, random.random()) for number in range(MANY)))
    database.execute("CREATE INDEX by_value ON rows (value)")
    database.commit()
    return timed(lambda: database.execute("SELECT n FROM rows ORDER BY value LIMIT 10").fetchall())


@floor("a process that imports click and rich.table", "ms")
def bare_tables(world: World) -> float:
    return world.wall([sys.executable, "-c", "import click, rich.table, rich.console"])


@floor("numpy.load of 100,000 float64", "ms")
def bare_numpy(world: World) -> float:
    import numpy

    numpy.save(world.folder / "floor.npy", numpy.zeros(100_000))
    return timed(lambda: numpy.load(world.folder / "floor.npy"))


@figure("10,000 runs, nothing changed: is the index fresh?", "ms", 5, beside="one os.stat")
def unchanged(world: World) -> float:
    import runlore

    store = runlore.open_store(large_store())
    return timed(lambda: store.index.refresh())


@figure(
    "top 10 by metrics.val_loss.min where params.lr < 0.5",
    "ms",
    5,
    beside="ten of 10,000 rows in SQLite, by an index",
)
def top_ten(world: World) -> float:
    import runlore

    store = runlore.open_store(large_store())
    return timed(lambda: store.runs("params.lr < 0.5", sort="metrics.val_loss.min", limit=10))


@figure("five conditions", "ms", 40, beside="ten of 10,000 rows in SQLite, by an index")
def five_conditions(world: World) -> float:
    import runlore

    store = runlore.open_store(large_store())
    where = (
        "params.lr < 0.5 and params.param_1 > 0.2 and params.model in ['svm', 'mlp'] "
        "and metrics.val_loss.min < 0.3 and metrics.acc.max > 0.5"
    )
    return timed(lambda: store.runs(where, sort="-metrics.acc.max", limit=10))


@figure("`runlore ls` of 10,000 runs, a cold process", "ms", 300, beside="a process that imports click and rich.table")
def cold_ls(world: World) -> float:
    command = [str(Path(sys.executable).with_name("runlore")), "ls"]
    return world.wall(command, RUNLORE_STORE=str(large_store()))


@cache
def long_store() -> Path:
    import tempfile

    import runlore

    store = runlore.open_store(Path(tempfile.mkdtemp(prefix="runlore-bench-")) / "store")
    chance = random.Random(0)
    with store.start_run("long") as run:
        for step in range(100_000):
            run.log_metrics({"loss": chance.random()}, step)
    store.reindex()
    return store.root


@figure("a series of 100,000 points, warm", "ms", 10, beside="numpy.load of 100,000 float64")
def long_series(world: World) -> float:
    import runlore
    from runlore.log.superseding import read_series

    contents = runlore.open_store(long_store()).run("long").writers.contents
    return timed(lambda: read_series(contents, "loss"))


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
