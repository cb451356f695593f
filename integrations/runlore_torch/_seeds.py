"""Read the seed of torch's random generator, without drawing from it."""

import hashlib
import sys
from typing import Any

from runlore.hookspecs import UNSEEDED

STATE_DIGITS = 16  # of the hash of a generator's state
MIN_DRAWN = 1 << 53  # from here on a seed was drawn: torch draws 64 bits where nobody sets one


def seeds() -> dict[str, Any] | None:
    """Return the seed of torch's generator for the CPU, if somebody set it, and its state; None without torch.

    A generator with a drawn seed from which no number was taken is unseeded.
    """
    torch: Any = sys.modules.get("torch")
    generator = getattr(torch, "default_generator", None)
    if generator is None:
        return None
    seed, state = generator.initial_seed(), generator.get_state()
    digits = hashlib.sha256(bytes(state.numpy())).hexdigest()[:STATE_DIGITS]
    if 0 <= seed < MIN_DRAWN:
        return {"torch_seed": seed, "torch_state": digits}
    fresh = torch.Generator().manual_seed(seed).get_state()
    return {"torch_state": UNSEEDED if fresh.equal(state) else digits}
