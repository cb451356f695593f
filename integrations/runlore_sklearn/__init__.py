"""runlore for scikit-learn: `runlore.autolog()` records every fit, `RunloreCallback` those of one estimator."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_sklearn._callback import RunloreCallback
    from runlore_sklearn._wrapping import disable, enable

__all__ = ["RunloreCallback", "disable", "enable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_sklearn' has no attribute {name!r}")
    from importlib import import_module

    import_module("sklearn.base")  # first, so that an autolog that waits for it doesn't import us while we are imported
    home = "_callback" if name == "RunloreCallback" else "_wrapping"
    return getattr(import_module(f"runlore_sklearn.{home}"), name)
