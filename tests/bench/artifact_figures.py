"""What keeping a large file costs, beside hashing it and copying it; what a script's only run costs."""

import hashlib
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from runlore.artifacts.blobs import Blobs
from tests.bench.figures import World, figure, floor

SIZE = 500_000_000  # bytes
SETTLED_S = 0.2  # until a file's times tell whether it was written again


def weights(world: World) -> Path:
    """Write a file that nobody can compress; its pages are in memory then."""
    path = world.folder / "weights.bin"
    with path.open("wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
    time.sleep(SETTLED_S)
    return path


def seconds(action: Callable[[], object]) -> float:
    """Return the time of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def hashing_of(path: Path) -> float:
    """Return the time of hashing a file."""
    with path.open("rb") as file:
        return seconds(lambda: hashlib.file_digest(file, "sha256"))


def copying_of(path: Path) -> float:
    """Return the time of copying a file beside itself."""
    copy = path.with_suffix(".copy")
    found = seconds(lambda: subprocess.run(["cp", path, copy], check=True))
    copy.unlink()
    return found


@figure("500 MB kept for the first time", "× the slower of both", 1.3, beside="`cp` of 500 MB, over hashing it")
def kept_first(world: World) -> float:
    path = weights(world)
    slower = max(hashing_of(path), copying_of(path))
    return seconds(lambda: Blobs(world.folder / "blobs").put_file(path)) / slower


@figure("500 MB that the store has, kept again", "× hashing", 1.1, beside="`cp` of 500 MB, over hashing it")
def kept_again(world: World) -> float:
    path, blobs = weights(world), Blobs(world.folder / "blobs")
    blobs.put_file(path)
    os.utime(path)
    hashing = hashing_of(path)
    return seconds(lambda: blobs.put_file(path)) / hashing


@floor("`cp` of 500 MB, over hashing it", "× hashing")
def copied(world: World) -> float:
    path = weights(world)
    return copying_of(path) / hashing_of(path)


@figure("500 MB that have not changed, kept again", "ms", 5, beside="one os.stat")
def kept_unchanged(world: World) -> float:
    path, blobs = weights(world), Blobs(world.folder / "blobs")
    blobs.put_file(path)
    return seconds(lambda: blobs.put_file(path)) * 1e3


IMAGE = """
import io, statistics, time
import numpy as np
from PIL import Image
import runlore

images = [np.random.default_rng(number).integers(0, 255, (256, 256, 3), dtype=np.uint8) for number in range(20)]
run = runlore.start_run()
run.log_media("first", images[0])
run.settle_media()
found, floors = [], []
for step, image in enumerate(images):
    began = time.perf_counter()
    run.log_media("image", image, step=step)
    found.append(time.perf_counter() - began)
    run.settle_media()
    began = time.perf_counter()
    Image.fromarray(image).save(io.BytesIO(), "PNG")
    floors.append(time.perf_counter() - began)
run.finish()
print(statistics.median(found) * 1e3, statistics.median(floors) * 1e3)
"""


@figure("an image of 256 × 256 × 3, on the caller", "ms", 3, beside="Pillow: the same as PNG")
def image_kept(world: World) -> float:
    return float(world.python(IMAGE).split()[0])


@floor("Pillow: the same as PNG", "ms")
def image_encoded(world: World) -> float:
    return float(world.python(IMAGE).split()[1])


TABLE = """
import json, statistics, time
import numpy as np
import runlore

names = [f"column {place}" for place in range(9)]
numbers = np.random.default_rng(0).random((10_000, 9)).tolist()
rows = [{**dict(zip(names, line)), "text": f"row {place}"} for place, line in enumerate(numbers)]
run = runlore.start_run()
found, floors = [], []
for step in range(6):
    began = time.thread_time()
    run.log_table("rows", rows, step=step)
    found.append(time.thread_time() - began)
    run.settle_media()
    began = time.thread_time()
    json.dumps(rows)
    floors.append(time.thread_time() - began)
run.finish()
print(statistics.median(found[1:]) * 1e3, statistics.median(floors) * 1e3)
"""


@figure("a table of 10,000 rows of 10, CPU on the caller", "ms", 40, beside="`json.dumps` of these rows, CPU")
def table_kept(world: World) -> float:
    return float(world.python(TABLE).split()[0])


@floor("`json.dumps` of these rows, CPU", "ms")
def table_encoded(world: World) -> float:
    return float(world.python(TABLE).split()[1])


ONLY_RUN = """
import time
import runlore
began = time.perf_counter()
run = runlore.start_run()
between = time.perf_counter()
run.log_metrics({"loss": 1.0})
ends = time.perf_counter()
run.finish()
print((between - began + time.perf_counter() - ends) * 1e3)
"""


@figure("a script's only run, outside of a repository: start and finish", "ms", 40, beside="bare Python")
def only_run(world: World) -> float:
    world.python(ONLY_RUN)
    return float(world.python(ONLY_RUN))
