"""Stores of any size, made in seconds: finished runs copied under new ids, with right checksums."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from runlore import Store
from runlore._ids import id_day, new_run_id
from runlore.log.frames import EVENT, HEAD, MAGIC, SIGNATURE_SIZE, frame

DAY_US = 86_400_000_000


def make_templates(store: Store, params: int = 90, metrics: int = 3, steps: int = 3) -> list[Path]:
    """Record ten runs that differ in learning rate and scores, and return their files."""
    for number in range(10):
        values: dict[str, object] = {f"model.layer_{key}.size": key * 7 + number for key in range(params - 2)}
        with store.start_run("grown", params=values | {"lr": 10.0**-number, "seed": number}) as run:
            for step in range(steps):
                run.log_metrics({f"metric_{key}": (number + step) / (key + 1) for key in range(metrics)}, step)
            run.companions.await_captures()  # else what comes late has a file of its own
    return sorted(store.root.glob("runs/*/*/*.run"))


def grow(
    root: Path,
    templates: Sequence[Path],
    runs: int,
    days: int,
    varied: Callable[[int, int], Mapping[bytes, bytes]] = lambda number, time_us: {},
) -> None:
    """Add copies of finished runs to a store, spread over the days before today.

    `varied` gives, by the number of a copy and the time of its start, what else is replaced in its events by as many
    bytes.
    """
    contents = [(path.name.partition(".")[0].encode(), path.read_bytes()) for path in templates]
    begin = time.time_ns() // 1000 - (days + 1) * DAY_US
    folders = set()
    for number in range(runs):
        old, content = contents[number % len(contents)]
        time_us = begin + number * (days * DAY_US // runs)
        run_id = new_run_id(time_us)
        folder = root / "runs" / id_day(run_id)
        if folder not in folders:
            folder.mkdir(parents=True, exist_ok=True)
            folders.add(folder)
        replaced = {old: run_id.encode(), **varied(number, time_us)}
        (folder / f"{run_id}.0000grow.run").write_bytes(_rewritten(content, replaced))
    for folder in folders:
        os.utime(folder, (time.time() - 100, time.time() - 100))


def _rewritten(content: bytes, replaced: Mapping[bytes, bytes]) -> bytes:
    """Return a sealed file with other texts in its events; each has as many bytes as before, so no offset changes."""
    parts = [content[:SIGNATURE_SIZE]]
    start = SIGNATURE_SIZE
    while content.startswith(MAGIC, start):
        mark, length, _ = HEAD.unpack_from(content, start)
        end = start + HEAD.size + length
        payload = content[start + HEAD.size : end]
        if mark[3] == EVENT:
            for old, new in replaced.items():
                assert len(old) == len(new), (old, new)
                payload = payload.replace(old, new)
        parts.append(frame(mark[3], payload))
        start = end
    return b"".join([*parts, content[start:]])


@contextmanager
def opened(found: set[str]) -> Iterator[None]:
    """Collect the names of the runs' files that are opened; the hook stays, and does nothing afterwards."""
    listening = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if listening and event == "open" and str(arguments[0]).endswith((".run", ".log")):
            found.add(Path(str(arguments[0])).name)

    sys.addaudithook(hook)
    yield
    listening = False
