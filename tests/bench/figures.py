"""The figures. Each returns one number; a floor does the least that the same result needs, without runlore."""

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

MANY = 10_000

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
