"""What is known of torch's random generator; reading it does not move it."""

import hashlib
import sys
from typing import Any

SHORT = 16  # digits of a state's hash that are kept


def seeds() -> dict[str, Any] | None:
    """The seed of torch's generator of the CPU, whoever set it, and where it stands; None without torch."""
    torch: Any = sys.modules.get("torch")
    generator = getattr(torch, "default_generator", None)
    if generator is None:
        return None
    state = bytes(generator.get_state().numpy())
    return {"torch_seed": generator.initial_seed(), "torch_state": hashlib.sha256(state).hexdigest()[:SHORT]}
