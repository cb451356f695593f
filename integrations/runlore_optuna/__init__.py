"""runlore for Optuna: `study.optimize(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

from runlore import guest

if TYPE_CHECKING:
    from runlore_optuna._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_optuna' has no attribute {name!r}")
    from runlore_optuna import _callback

    _wrap()
    return _callback.RunloreCallback


def _wrap() -> None:
    """Wrap Optuna before anybody looks up `study.optimize`, whose own arguments may be the first to name a callback."""
    from runlore_optuna import _wrapping

    _wrapping.wrapped().want("callback")


guest.once_imported("optuna", _wrap)
