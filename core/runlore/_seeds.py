"""What is known of the random generators at the moment a run starts; reading them does not move them."""

import hashlib
import os
import random
import struct
import sys
from typing import TYPE_CHECKING, Any

from runlore._quiet import numpy_state
from runlore._values import describe

if TYPE_CHECKING:
    from runlore._plugins import Complaint, Plugins

SHORT = 16  # digits of a state's hash that are kept


def seeds(plugins: "Plugins", note: "Complaint") -> dict[str, Any]:
    """What plugins tell, the hash seed, and hashes of the states of Python's and numpy's global generators.

    `numpy_seed` is there if `numpy.random.seed` was called with one number and nothing was drawn since.
    """
    found: dict[str, Any] = {}
    for told in plugins.results("runlore_capture_seeds", note):
        found.update({str(key): describe(value) for key, value in told.items()})
    version, state, _ = random.getstate()
    found["python_state"] = _short(struct.pack(f"<{len(state)}I", *state)) if version == 3 else None
    found["hash_seed"] = os.environ.get("PYTHONHASHSEED", "random") if sys.flags.hash_randomization else "0"
    numpy = numpy_state()
    if numpy is not None and numpy.get("bit_generator") == "MT19937":
        keys, position = numpy["state"]["key"], numpy["state"]["pos"]
        found["numpy_state"] = _short(keys.tobytes() + struct.pack("<I", position))
        seed = int(keys[0])
        fresh: Any = sys.modules["numpy.random"]
        if position == len(keys) and (fresh.RandomState(seed).get_state(legacy=False)["state"]["key"] == keys).all():
            found["numpy_seed"] = seed
    return {key: value for key, value in found.items() if value is not None}


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:SHORT]
