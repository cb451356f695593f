"""Records with right checksums and any content: events, key sets, rows, columns, footers."""

import os
import random
import struct
from typing import Any

import pytest

from runlore._ids import id_time, new_run_id
from runlore.log.frames import frame
from runlore.log.liveness import boot_id
from tests.forged import ForgedStore, columns_frame, json_frame
from tests.fuzz import inputs
from tests.fuzz.asking import Put, try_inputs
from tests.fuzz.spoiling import HOSTILE, events, spoil

BLOCK = {"keys": ["a", "b"], "split": None, "rows": 3, "columns": [["range", 16]] * 3 + [["constant", 8]] * 3}
DATA = struct.pack("<qQ", 0, 1) * 3 + struct.pack("<d", 1.5) * 3
TALLIES = {key: [None, 3, 1.5, 2, 1.5, 1.5, True, 1, 2] for key in ("a", "b")}


def rows(rng: random.Random) -> list[bytes]:
    """Return key sets and rows, which may not belong to each other."""
    found = []
    for _ in range(rng.randint(0, 4)):
        key_set = {"id": rng.choice([0, 0, 1, 1 << 32, -1]), "keys": ["a", "b"][: rng.randint(0, 2)], "split": None}
        found.append(json_frame("K", spoil(rng, key_set, rng.choice([0, 0, 1]))))
        count = rng.choice([0, 1, 2, 2, 3])
        numbers = [rng.choice([0, 1, -1, (1 << 63) - 1, -(1 << 63)]) for _ in range(2)]
        values = [rng.choice([0.0, 1.5, float("nan"), float("inf"), 1e308]) for _ in range(count + 1)]
        found.append(frame(ord("P"), struct.pack(f"<Iqq{count + 1}d", rng.choice([0, 1]), *numbers, *values)))
    return found


def of_log(store: ForgedStore, rng: random.Random) -> None:
    fields = ("name", "parent", "argv", "time", "boot", "pid", "mode", "cut")
    hostile = {name: rng.choice(HOSTILE) for name in fields if rng.random() < 0.1}
    if rng.random() < 0.4:
        hostile["boot"] = boot_id()  # its writer is dead, so that readers seal it
    run = store.run(
        events(rng),
        name="changed",
        frames=rows(rng),
        opening=hostile,
        end=spoil(rng, {"lost": 0, "error": {"type": "E"}, "status": "failed"}, rng.choice([0, 0, 1])),
    )
    if rng.random() < 0.8:  # was not heard of for long
        for path in store.root.glob(f"runs/*/*/{run}.*"):
            os.utime(path, (1e9, 1e9))


def of_sealed_file(store: ForgedStore, rng: random.Random) -> None:
    run = new_run_id(id_time(new_run_id(1_700_000_000_000_000)) + rng.randrange(1 << 40))
    blocks = []
    for _ in range(rng.randint(0, 3)):
        head = spoil(rng, BLOCK, rng.choice([0, 1, 2]))
        data = DATA if rng.random() < 0.7 else rng.randbytes(rng.choice([0, 8, len(DATA), 1_000]))
        blocks.append(columns_frame(head, data))
    told = [{"type": "open", "time": id_time(run), "run": run, "name": "changed"}, *events(rng)]
    footer: Any = {"key_sets": [["a", "b"]], "tallies": TALLIES}
    changed = spoil(rng, footer, rng.choice([0, 1, 2]))
    path = store.sealed(run, blocks, told, changed)
    if rng.random() < 0.2:
        path.write_bytes(path.read_bytes()[: -rng.randint(1, 40)])


@pytest.mark.parametrize("put", [of_log, of_sealed_file])
def test_a_changed_record_costs_no_other_run(put: Put) -> None:
    try_inputs(inputs(50), put)
