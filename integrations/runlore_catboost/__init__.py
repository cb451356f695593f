"""runlore for catboost: `model.fit(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

from runlore import guest

if TYPE_CHECKING:
    from runlore_catboost._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_catboost' has no attribute {name!r}")
    from runlore_catboost import _callback

    _wrap()
    return _callback.RunloreCallback


def _wrap() -> None:
    """Wrap catboost before anybody looks up `fit`, whose own arguments may be the first to name our callback."""
    from runlore_catboost import _wrapping

    _wrapping.wrapped().want("callback")


guest.once_imported("catboost", _wrap)
