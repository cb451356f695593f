"""What is known of the random generators at the moment a run starts; reading them does not move them."""

import hashlib
import os
import random
import struct
import sys
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from runlore.hookspecs import UNSEEDED
from runlore.log.values import describe
from runlore.recording.random_states import numpy_state

if TYPE_CHECKING:
    from runlore.plugins.manager import Complaint, Plugins


SHORT = 16  # digits of a state's hash that are kept
CHOSEN = 64  # bits of a number that somebody may have chosen: numpy's own entropy has 128
WORDS = 624  # of the state of a Mersenne Twister
WORD = 0xFFFFFFFF
FIRST = 4  # place in a state from which on the words of a seed can be read
MOST_WORDS = 310  # of a seed that can be recognised: it must come twice in a state


def seeds(plugins: "Plugins", note: "Complaint") -> dict[str, Any]:
    """What plugins tell, the hash seed, and hashes of the states of Python's and numpy's global generators.

    `python_seed` and `numpy_seed` are there if `random.seed` and `numpy.random.seed` were called with one number and
    nothing was drawn since. A generator that nobody seeded and nobody drew from is "unseeded": what it holds tells
    nothing about what the program did.
    """
    found: dict[str, Any] = {}
    for told in plugins.results("runlore_capture_seeds", note):
        found.update({str(key): describe(value) for key, value in told.items()})
    found["hash_seed"] = os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0"
    found |= _of_python()
    found |= _of_numpy()
    return found


def _of_python() -> dict[str, Any]:
    version, state, _ = random.getstate()
    if version != 3:
        return {}
    *words, position = state
    told = _short(struct.pack(f"<{len(state)}I", *state))
    if position != WORDS:
        return {"python_state": told}
    seed = seed_words(tuple(words))
    if seed is None:
        return {"python_state": UNSEEDED}
    known = {"python_seed": seed[0]} if len(seed) == 1 else {}
    return {"python_state": told, **known}


def _of_numpy() -> dict[str, Any]:
    state = numpy_state()
    if "numpy" in sys.modules and "numpy.random" not in sys.modules:
        return {"numpy_state": UNSEEDED}  # it is made, of entropy, when somebody first asks for it
    if state is None or state.get("bit_generator") != "MT19937":
        return {}
    numpy: Any = sys.modules["numpy.random"]
    key, position = state["state"]["key"], state["state"]["pos"]
    told = _short(key.tobytes() + struct.pack("<I", position))
    sequence = getattr(numpy.get_bit_generator(), "seed_seq", None) if hasattr(numpy, "get_bit_generator") else None
    entropy = getattr(sequence, "entropy", None)
    if isinstance(entropy, int) and entropy.bit_length() > CHOSEN:
        fresh = _fresh(entropy)
        if position == fresh["pos"] and (fresh["key"] == key).all():
            return {"numpy_state": UNSEEDED}
    seed = int(key[0])
    if position == len(key) and (numpy.RandomState(seed).get_state(legacy=False)["state"]["key"] == key).all():
        return {"numpy_state": told, "numpy_seed": seed}
    return {"numpy_state": told}


@lru_cache(1)
def _fresh(entropy: int) -> dict[str, Any]:
    """The state of a generator of numpy that was just made of this entropy."""
    state: dict[str, Any] = sys.modules["numpy.random"].MT19937(entropy).state["state"]
    return state


@lru_cache(1)  # in a process that never seeds it is the same for every run
def seed_words(state: tuple[int, ...]) -> list[int] | None:
    """The 32-bit words, lowest first, of the seed that made a fresh state of Python's generator; None for entropy.

    Python spreads the words of a seed over the state as `init_by_array` of the Mersenne Twister does (Matsumoto and
    Nishimura, mt19937ar.c, 2002), over and over if they are fewer than the state's; each step can be undone. Entropy
    fills all words and so never repeats.
    """
    few = _added(state, FIRST + 3)
    if len(set(few)) == 1:  # the seed is one word, as nearly all are
        return few[:1]
    some = _added(state, FIRST + MOST_WORDS + 3)
    for length in range(2, MOST_WORDS + 1):
        if some[length : length + 3] == some[:3]:
            words = _added(state, WORDS)
            if words[length:] == words[:-length]:
                return [(words[(place + 1 - FIRST) % length] - place) & WORD for place in range(length)]
    return None


def _added(state: tuple[int, ...], end: int) -> list[int]:
    """What was added at each place of a state up to an end: a word of the seed, and its number within it."""
    blank = _blank()
    mixed = [((state[i] + i) & WORD) ^ _spread(state[i - 1], 1566083941) for i in range(FIRST - 1, end)]
    pairs = zip(mixed, mixed[1:], blank[FIRST:end], strict=False)
    return [(now - (bare ^ _spread(before, 1664525))) & WORD for before, now, bare in pairs]


def _spread(word: int, factor: int) -> int:
    return (word ^ word >> 30) * factor & WORD


@cache
def _blank() -> list[int]:
    """The state of a Mersenne Twister into which a seed's words are spread."""
    words = [19650218]
    for place in range(1, WORDS):
        words.append((_spread(words[-1], 1812433253) + place) & WORD)
    return words


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:SHORT]
