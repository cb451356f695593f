"""A neighbour who may write in the store's folder, and swaps its folders for links while commands are at work."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store, open_store
from runlore.errors import RunloreError
from tests.commands import runlore
from tests.process import Process
from tests.store.test_boundary import everything

pytestmark = pytest.mark.stress
Python = Callable[..., Process]

SECONDS = 12.0
SWAP = """
import ctypes, os, random, sys, time
libc = ctypes.CDLL(None, use_errno=True)
HERE, EXCHANGE = -100, 2
store, outside = sys.argv[1:]
luck = random.Random(1)
print("on", flush=True)
while os.getppid() > 1:
    top = luck.choice(["runs", "blobs", "trash", "quarantine", "marks"])
    parts, place = [top], f"{store}/{top}"
    try:
        while luck.random() < 0.7:
            below = [name for name in os.listdir(place) if os.path.isdir(f"{place}/{name}")]
            parts.append(luck.choice(below))
            place = f"{store}/{'/'.join(parts)}"
    except (OSError, IndexError):
        pass
    there, link = f"{outside}/{'/'.join(parts)}", f"{store}/.link"
    try:
        os.makedirs(there, exist_ok=True)
        os.symlink(there, link)
        if libc.renameat2(HERE, place.encode(), HERE, link.encode(), EXCHANGE) == 0:
            time.sleep(luck.random() * 0.002)
            libc.renameat2(HERE, place.encode(), HERE, link.encode(), EXCHANGE)
        os.unlink(link)
    except OSError:
        pass
    time.sleep(luck.random() * 0.004)
"""
COMMANDS = [
    "show kept",
    "rm kept",
    "undo",
    "gc",
    "quarantine kept",
    "quarantine --off RUN",
    "restore kept --all --to new",
]


@pytest.mark.skipif(not hasattr(os, "O_PATH"), reason="swaps as Linux can")
def test_nothing_outside_is_touched_while_folders_are_swapped_for_links(
    store: Store, tmp_path: Path, python: Python
) -> None:
    (tmp_path / "model").write_bytes(b"m" * 300_000)
    with store.start_run("kept") as run:
        run.log_artifact(tmp_path / "model")
    store.quarantine(store.run("kept").id)
    store.release(run.id)
    shutil.copytree(store.root, tmp_path / "outside")
    for path in [*store.root.rglob("*"), *(tmp_path / "outside").rglob("*")]:
        os.utime(path, (1, 1_000_000_000))
    (tmp_path / "outside" / "document.txt").write_text("mine")
    before = files(tmp_path / "outside")
    swapping = python(SWAP, str(store.root), str(tmp_path / "outside"))
    assert swapping.line() == "on"
    done = 0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for command in COMMANDS:
            result = runlore(*command.replace("RUN", run.id).split(), "--store", str(store.root))
            assert isinstance(result.exception, SystemExit | None), (command, result.exception)
            done += result.exit_code == 0
        try:
            with open_store(store.root).start_run("more") as more:
                (tmp_path / "model").write_bytes(os.urandom(300_000))
                more.log_artifact(tmp_path / "model")
        except (RunloreError, OSError):  # its folder was a link just then
            continue
    swapping.kill()
    assert files(tmp_path / "outside") == before
    assert done > 20


def files(folder: Path) -> dict[str, tuple[int, str]]:
    """Return what lies in a folder, without the folders that the neighbour has made there."""
    return {name: told for name, told in everything(folder).items() if not (folder / name).is_dir()}
