"""What is known of torch's random generator; reading it does not move it."""

import hashlib
import sys
from typing import Any

from runlore.hookspecs import UNSEEDED

SHORT = 16  # digits of a state's hash that are kept
CHOSEN = 1 << 53  # seeds from here on are of entropy: torch draws 64 bits where nobody sets one


def seeds() -> dict[str, Any] | None:
    """The seed of torch's generator of the CPU, if somebody set it, and where it stands; None without torch.

    A generator that has a seed of entropy, and from which nothing was drawn, is unseeded.
    """
    torch: Any = sys.modules.get("torch")
    generator = getattr(torch, "default_generator", None)
    if generator is None:
        return None
    seed, state = generator.initial_seed(), generator.get_state()
    told = hashlib.sha256(bytes(state.numpy())).hexdigest()[:SHORT]
    if 0 <= seed < CHOSEN:
        return {"torch_seed": seed, "torch_state": told}
    fresh = torch.Generator().manual_seed(seed).get_state()
    return {"torch_state": UNSEEDED if fresh.equal(state) else told}
