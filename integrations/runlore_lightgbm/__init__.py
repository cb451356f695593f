"""runlore for lightgbm: `lightgbm.train(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

from runlore import guest

if TYPE_CHECKING:
    from runlore_lightgbm._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_lightgbm' has no attribute {name!r}")
    from runlore_lightgbm import _callback

    _wrap()
    return _callback.RunloreCallback


def _wrap() -> None:
    """Wrap lightgbm before anybody looks up `train`, whose own arguments may be the first to name our callback."""
    from runlore_lightgbm import _wrapping

    _wrapping.wrapped().want("callback")


guest.once_imported("lightgbm", _wrap)
