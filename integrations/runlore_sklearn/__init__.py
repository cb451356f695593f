"""runlore for scikit-learn: `runlore.autolog()` records every fit."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_sklearn._autolog import disable, enable

__all__ = ["disable", "enable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_sklearn' has no attribute {name!r}")
    from runlore_sklearn import _autolog

    return getattr(_autolog, name)
