"""runlore for Keras 3: `model.fit(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_keras._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_keras' has no attribute {name!r}")
    from runlore_keras import _callback, _wrapping

    _wrapping.wrapped().want("callback")  # before anybody can look up `model.fit`
    return _callback.RunloreCallback
