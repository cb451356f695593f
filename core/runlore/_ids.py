"""Run ids that sort by time, names that a person can say, and the ids of contents, which are hashes."""

import os
import sys
import time
from typing import Any

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_DIGITS = frozenset(ALPHABET)
_PYTHONS_DIGITS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
TIME_DIGITS = 11  # 55 bits of microseconds since 1970: until the year 3111
RANDOM_DIGITS = 8
ID_DIGITS = TIME_DIGITS + RANDOM_DIGITS
SHORT_DIGITS = 6  # of the random end, which tables show

try:
    own_sha256: Any = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
except ImportError:  # an interpreter that was built without
    own_sha256 = None
MAX_SLOWLY_HASHED = 1 << 16  # bytes that the interpreter's own sha256 hashes faster than OpenSSL is loaded

ADJECTIVES = (
    "able amber ample arctic bold brave brief bright brisk broad calm candid careful civil clear clever cosmic crisp "
    "curious daring deep deft dense eager early easy fabled fair famed fast fine firm fleet fluent fond frank free "
    "fresh gentle glad golden grand green happy hardy humble ideal jolly keen kind large late level light lively "
    "loyal lucid lucky lunar mellow merry mild modest neat nimble noble novel open patient plain polar polite prime "
    "proud pure quick quiet rapid rare ready robust rosy royal rustic sage serene sharp silent silver simple sleek "
    "smart smooth snowy solar solid sound spry stable steady still stout sunny sure swift tender tidy tranquil true "
    "upbeat urban valid vast vivid warm wise witty young zesty"
).split()
NOUNS = (
    "acorn alder anchor apple arrow aspen badger bay beacon beaver birch bison brook canyon cedar cliff cloud clover "
    "comet coral cove crane creek cricket delta dolphin dove dune eagle elm ember falcon fern finch fjord forest fox "
    "garden gecko geyser glacier glade grove gull harbor hare hawk hazel heron hill ibex island ivy jay juniper "
    "kestrel kite koala lagoon lake lantern lark laurel lemur lily linden lotus lynx magpie maple marten meadow mesa "
    "mole moon moss newt oak ocean olive orca orchid osprey otter owl panda pebble pine planet plover pond poplar "
    "prairie puffin quail quartz rabbit raven reed reef ridge river robin rook salmon sequoia sparrow spruce squirrel "
    "star stone stork stream swan tern thistle tiger tulip valley walnut willow wolf wren yak zebra"
).split()


def new_run_id(time_us: int) -> str:
    """Return an id for a run that starts at `time_us` (µs since 1970).

    Behind the time stand 40 random bits of the operating system, so that processes need not agree on anything, and no
    random state of this one changes.
    """
    return _base32(time_us, TIME_DIGITS) + new_suffix(RANDOM_DIGITS)


def new_suffix(digits: int) -> str:
    """Return random base 32 digits from the operating system, at most twelve."""
    return _base32(int.from_bytes(os.urandom(8), "little"), digits)


def is_run_id(text: str) -> bool:
    """Return True if `text` has the form of a run id."""
    return len(text) == ID_DIGITS and _DIGITS.issuperset(text)


def is_sha256(text: str) -> bool:
    """Return True for 64 hex digits, in small letters."""
    try:
        return len(text) == 64 and bytes.fromhex(text).hex() == text  # a third of the time of looking at each
    except ValueError:
        return False


def id_time(run_id: str) -> int:
    """Return the µs since 1970 that a run id begins with."""
    return int(run_id[:TIME_DIGITS].translate(_PYTHONS_DIGITS) or "0", 32)


def id_day(run_id: str) -> str:
    """Return the folder of a run below `runs/`, by the day in UTC: "2026-11/23"."""
    return time.strftime("%Y-%m/%d", time.gmtime(id_time(run_id) // 1_000_000))


def new_name() -> str:
    """Return a name such as "brisk-otter"; it need not be unique."""
    first, second = os.urandom(2)
    return f"{ADJECTIVES[first % len(ADJECTIVES)]}-{NOUNS[second % len(NOUNS)]}"


def is_made_name(text: str) -> bool:
    """Return True if a name may be one that `new_name` has made."""
    first, _, second = text.partition("-")
    return first in ADJECTIVES and second in NOUNS


def _base32(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 32)
        text = ALPHABET[digit] + text
    return text


def sha256_of(data: bytes) -> str:
    """Return the sha256 of some bytes, in hex: as `random` does, without `hashlib` where that is not loaded."""
    if own_sha256 is None or len(data) > MAX_SLOWLY_HASHED or "hashlib" in sys.modules:
        from hashlib import sha256

        return sha256(data).hexdigest()
    return str(own_sha256(data).hexdigest())
