"""The figures of questions: which run, why they differ, which is best, what can go."""

import os
import random
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

from tests.bench.figures import MANY, World, figure, floor

GIGABYTE = 1 << 30
AGED = 100_000  # seconds


def runlore(world: World, store: Path, *arguments: str) -> float:
    """Milliseconds of a command as a process."""
    command = [str(Path(sys.executable).with_name("runlore")), *arguments]
    return world.wall(command, RUNLORE_STORE=str(store))


@cache
def full_store() -> Path:
    """10,000 runs of ten learning rates and a thousand seeds, each with a model of its own; made once."""
    import runlore as library

    os.environ["RUNLORE_QUIET"] = "1"
    folder = Path(tempfile.mkdtemp(prefix="runlore-bench-")) / "store"
    store = library.open_store(folder)
    chance = random.Random(0)
    for number in range(MANY):
        params = {f"param_{place}": chance.random() for place in range(6)}
        with store.start_run(f"run-{number}", params={"lr": number % 10 / 10, "seed": number // 10, **params}) as run:
            for step in range(3):
                run.log_metrics({"loss": chance.random(), "val_acc": chance.random()}, step)
            run.run_log.keep_bytes(chance.randbytes(256), name="model.bin", kind="model")
    store.runs(limit=1)
    for path in (item for item in folder.rglob("*") if item.is_file()):
        os.utime(path, (time.time() - AGED, time.time() - AGED))
    store.runs(limit=1)
    return folder


@cache
def gigabyte() -> Path:
    """A file of a gigabyte that no run knows."""
    path = full_store().parent / "gigabyte.bin"
    with path.open("wb") as file:
        for _ in range(GIGABYTE >> 24):
            file.write(os.urandom(1 << 24))
    return path


@floor("sha256sum of a gigabyte", "ms")
def hash_gigabyte(world: World) -> float:
    gigabyte().read_bytes()  # in the cache, as for the other
    return world.wall(["sha256sum", str(gigabyte())])


@figure("`runlore which-run` of a gigabyte, over sha256sum", "ms", 150, beside="sha256sum of a gigabyte")
def which_gigabyte(world: World) -> float:
    floored = hash_gigabyte(world)
    script = "import subprocess, sys; subprocess.run(sys.argv[1:], stdout=-3, stderr=-3)"
    command = [str(Path(sys.executable).with_name("runlore")), "which-run", str(gigabyte())]
    environment = {"RUNLORE_STORE": str(full_store())}
    bare = world.wall([sys.executable, "-c", script, "true"])
    return world.wall([sys.executable, "-c", script, *command], **environment) - bare - floored


@figure("`runlore diff` of two of 10,000 runs", "ms", 500, beside="a process that imports click and rich.table")
def diff_two(world: World) -> float:
    return runlore(world, full_store(), "diff", "run-17", "run-9017")


@figure("`runlore stats` over 10,000 runs", "ms", 1000, beside="a process that imports click and rich.table")
def stats_of_all(world: World) -> float:
    return runlore(world, full_store(), "stats", "-m", "val_acc", "--by", "params.lr", "--over", "params.seed")


@figure("`runlore gc --dry-run`, 10,000 runs and 10,000 blobs", "ms", 2000, beside="10,000 blobs and runs, stat")
def gc_dry_run(world: World) -> float:
    return runlore(world, full_store(), "gc", "--dry-run")


@figure("`runlore gc --keep-best 3 --dry-run`, the same store", "ms", 2000, beside="10,000 blobs and runs, stat")
def gc_rules_dry_run(world: World) -> float:
    return runlore(world, full_store(), "gc", "--keep-best", "3", "-m", "val_acc", "--dry-run")


@floor("10,000 blobs and runs, stat", "ms")
def stat_all(world: World) -> float:
    began = time.perf_counter()
    for parent, _, names in os.walk(full_store()):
        for name in names:
            os.stat(f"{parent}/{name}")  # noqa: PTH116  # the least that looking at all takes
    return (time.perf_counter() - began) * 1e3
