"""runlore for loops of one's own in PyTorch: `with RunloreCallback():` around them, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_torch._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_torch' has no attribute {name!r}")
    from runlore_torch import _callback

    return _callback.RunloreCallback
