"""Read seeds and states of the random generators when a run starts, without moving them."""

import os
import struct
import sys
from functools import cache, lru_cache
from typing import Any

from runlore._ids import sha256_of
from runlore.hookspecs import UNSEEDED
from runlore.log.values import describe
from runlore.plugins.manager import Complaint, Plugins

HASH_DIGITS = 16  # of a state's hash that are kept
MAX_CHOSEN_BITS = 64  # of a number that somebody may have chosen: numpy's own entropy has 128
STATE_WORDS = 624  # of a Mersenne Twister
WORD_MASK = 0xFFFFFFFF  # 32 bits
FIRST_PLACE = 4  # in a state, from which on the words of a seed can be read
MAX_SEED_WORDS = 310  # of a seed that can be recognised: it must come twice in a state


def seeds(plugins: Plugins, note: Complaint) -> dict[str, Any]:
    """Return the seeds that plugins know, the hash seed, and hashes of the states of Python's and numpy's generators.

    `python_seed` and `numpy_seed` are there if `random.seed` and `numpy.random.seed` were called with one number and
    nothing was drawn since. A generator that nobody seeded and nobody drew from is "unseeded": its state tells nothing
    about the program.
    """
    found: dict[str, Any] = {}
    for values in plugins.results("runlore_capture_seeds", note):
        found.update({str(key): describe(value) for key, value in values.items()})
    found["hash_seed"] = os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0"
    found |= _python_facts()
    found |= _numpy_facts()
    return found


def _python_facts() -> dict[str, Any]:
    random = sys.modules.get("random")
    if random is None:
        return {"python_state": UNSEEDED}  # the generator is made, of entropy, when somebody first imports it
    version, state, _ = random.getstate()
    if version != 3:
        return {}
    *words, position = state
    state_hash = _short_hash(struct.pack(f"<{len(state)}I", *state))
    if position != STATE_WORDS:
        return {"python_state": state_hash}
    seed = seed_words(tuple(words))
    if seed is None:
        return {"python_state": UNSEEDED}
    known = {"python_seed": seed[0]} if len(seed) == 1 else {}
    return {"python_state": state_hash, **known}


def _numpy_facts() -> dict[str, Any]:
    if "numpy" not in sys.modules:
        return {}
    if "numpy.random" not in sys.modules:
        return {"numpy_state": UNSEEDED}  # the generator is made, of entropy, when somebody first asks for it
    from runlore.recording.random_states import numpy_state

    state = numpy_state()
    if state is None or state.get("bit_generator") != "MT19937":
        return {}
    numpy: Any = sys.modules["numpy.random"]
    key, position = state["state"]["key"], state["state"]["pos"]
    state_hash = _short_hash(key.tobytes() + struct.pack("<I", position))
    sequence = getattr(numpy.get_bit_generator(), "seed_seq", None) if hasattr(numpy, "get_bit_generator") else None
    entropy = getattr(sequence, "entropy", None)
    if isinstance(entropy, int) and entropy.bit_length() > MAX_CHOSEN_BITS:
        fresh = _fresh(entropy)
        if position == fresh["pos"] and (fresh["key"] == key).all():
            return {"numpy_state": UNSEEDED}
    seed = int(key[0])
    if position == len(key) and (numpy.RandomState(seed).get_state(legacy=False)["state"]["key"] == key).all():
        return {"numpy_state": state_hash, "numpy_seed": seed}
    return {"numpy_state": state_hash}


@lru_cache(1)
def _fresh(entropy: int) -> dict[str, Any]:
    """Return the state of a fresh generator of numpy with this entropy."""
    state: dict[str, Any] = sys.modules["numpy.random"].MT19937(entropy).state["state"]
    return state


@lru_cache(1)  # in a process that never seeds it is the same for every run
def seed_words(state: tuple[int, ...]) -> list[int] | None:
    """Return the 32-bit words, lowest first, of the seed that made a fresh state of Python's generator; None: entropy.

    Python spreads the words of a seed over the state as `init_by_array` of the Mersenne Twister does (Matsumoto and
    Nishimura, mt19937ar.c, 2002), again and again if they are fewer than the state's; each step can be undone. Entropy
    fills all words and so never repeats.
    """
    few = _added(state, FIRST_PLACE + 3)
    if len(set(few)) == 1:  # the seed is one word, as nearly all are
        return few[:1]
    some = _added(state, FIRST_PLACE + MAX_SEED_WORDS + 3)
    for length in range(2, MAX_SEED_WORDS + 1):
        if some[length : length + 3] == some[:3]:
            words = _added(state, STATE_WORDS)
            if words[length:] == words[:-length]:
                return [(words[(place + 1 - FIRST_PLACE) % length] - place) & WORD_MASK for place in range(length)]
    return None


def _added(state: tuple[int, ...], end: int) -> list[int]:
    """Return the number added at each place of a state up to `end`: a word of the seed plus its place in the seed."""
    blank = _blank()
    mixed = [((state[i] + i) & WORD_MASK) ^ _spread(state[i - 1], 1566083941) for i in range(FIRST_PLACE - 1, end)]
    pairs = zip(mixed, mixed[1:], blank[FIRST_PLACE:end], strict=False)
    return [(now - (bare ^ _spread(before, 1664525))) & WORD_MASK for before, now, bare in pairs]


def _spread(word: int, factor: int) -> int:
    return (word ^ word >> 30) * factor & WORD_MASK


@cache
def _blank() -> list[int]:
    """Return the state of a Mersenne Twister before a seed is spread over it."""
    words = [19650218]
    for place in range(1, STATE_WORDS):
        words.append((_spread(words[-1], 1812433253) + place) & WORD_MASK)
    return words


def _short_hash(data: bytes) -> str:
    return sha256_of(data)[:HASH_DIGITS]
