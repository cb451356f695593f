"""runlore for Keras 3: `model.fit(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

from runlore import guest

if TYPE_CHECKING:
    from runlore_keras._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_keras' has no attribute {name!r}")
    from runlore_keras import _callback

    _wrap()
    return _callback.RunloreCallback


def _wrap() -> None:
    """Wrap Keras before anybody looks up `model.fit`, whose own arguments may be the first to name our callback."""
    from runlore_keras import _wrapping

    _wrapping.wrapped().want("callback")


guest.once_imported("keras", _wrap)
