"""The bytes of logs and of sealed files, changed at random."""

import random
import struct
from functools import cache
from pathlib import Path
from zlib import crc32

from runlore._ids import RANDOM_DIGITS, TIME_DIGITS
from runlore.log import frames
from tests.forged import ForgedStore
from tests.fuzz import inputs
from tests.fuzz.asking import try_inputs

GOLDEN = Path(__file__).parents[1] / "golden"
WORDS = [
    b"\xa5RL", b"\xa5RLJ", b"\xa5RLC", b"RLSEALED", b"\0" * 8, b"\xff" * 8, b"[" * 100, b'"\\ud800"', b"9" * 30,
    b"null",
]  # fmt: skip


@cache
def seeds() -> list[Path]:
    return sorted(path for suffix in ("log", "run") for path in GOLDEN.rglob(f"runs/**/*.{suffix}"))


def changed(rng: random.Random, data: bytes) -> bytes:
    """Return bytes with some of them replaced, cut out, doubled or inserted."""
    found = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(found) + 1)
        length = rng.choice([1, 1, 2, 4, 8, 60])
        match rng.randrange(5):
            case 0:
                found[place : place + length] = rng.randbytes(length)
            case 1:
                del found[place : place + length]
            case 2:
                found[place:place] = found[place : place + length]
            case 3:
                found[place : place + rng.choice([0, 4])] = rng.choice(WORDS)
            case _ if place < len(found):
                found[place] ^= 1 << rng.randrange(8)
    return bytes(found)


def with_checksums(data: bytes) -> bytes:
    """Return the bytes with the checksum of each frame that can be found put right."""
    found = bytearray(data)
    place = found.find(frames.MAGIC)
    while 0 <= place <= len(found) - frames.HEAD.size:
        length = struct.unpack_from("<I", found, place + 4)[0]
        begin = place + frames.HEAD.size
        if begin + length <= len(found):
            check = crc32(found[begin : begin + length], crc32(found[place + 3 : place + 4]))
            struct.pack_into("<I", found, place + 8, check)
        place = found.find(frames.MAGIC, place + 1)
    return bytes(found)


def change(store: ForgedStore, rng: random.Random) -> None:
    """Put one of the files into a store, with some of its bytes changed."""
    path = rng.choice(seeds())
    day = store.root / "runs" / path.parent.relative_to(path.parents[2])
    day.mkdir(parents=True, exist_ok=True)
    run, _, rest = path.name.partition(".")
    other = run[:TIME_DIGITS] + f"{rng.randrange(10**RANDOM_DIGITS):0{RANDOM_DIGITS}}"  # many lie in one store
    data = changed(rng, with_checksums(path.read_bytes().replace(run.encode(), other.encode())))
    (day / f"{other}.{rest}").write_bytes(with_checksums(data) if rng.random() < 0.7 else data)


def test_changed_bytes_cost_no_other_run() -> None:
    try_inputs(inputs(50), change)
