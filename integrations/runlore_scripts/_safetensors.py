"""Files of safetensors."""

import sys
from types import ModuleType

from runlore.guest.wrapping import Wrappers
from runlore_scripts._calls import follow_all, reads, writes


def follow_torch(wrappers: Wrappers) -> None:
    """Follow what writes and reads tensors of torch."""
    _follow(wrappers, sys.modules["safetensors.torch"])


def follow_numpy(wrappers: Wrappers) -> None:
    """Follow what writes and reads arrays."""
    _follow(wrappers, sys.modules["safetensors.numpy"])


def follow_lazily(wrappers: Wrappers) -> None:
    """Follow `safe_open`, which reads one tensor after the other."""
    wrappers.follow(sys.modules["safetensors"], "safe_open", reads("safetensors.safe_open", 0, "filename"))


def _follow(wrappers: Wrappers, module: ModuleType) -> None:
    follow_all(wrappers, module, ("save_file", "save_model"), lambda name: writes("model", 1, "filename"))
    follow_all(wrappers, module, ("load_file",), lambda name: reads(f"{module.__name__}.{name}", 0, "filename"))
    follow_all(wrappers, module, ("load_model",), lambda name: reads(f"{module.__name__}.{name}", 1, "filename"))
