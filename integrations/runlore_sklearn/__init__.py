"""runlore for scikit-learn: `runlore.autolog()` records every fit, `RunloreCallback` those of one estimator."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_sklearn._autolog import disable, enable
    from runlore_sklearn._callback import RunloreCallback

__all__ = ["RunloreCallback", "disable", "enable"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_sklearn' has no attribute {name!r}")
    from importlib import import_module

    import_module("sklearn.base")  # first of all, so that an autolog that waits for it need not import us in our midst
    home = "_callback" if name == "RunloreCallback" else "_autolog"
    return getattr(import_module(f"runlore_sklearn.{home}"), name)
