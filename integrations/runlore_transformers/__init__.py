"""runlore for transformers: `Trainer(…, callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_transformers._callback import RunloreCallback
    from runlore_transformers._tracker import RunloreTracker

__all__ = ["RunloreCallback", "RunloreTracker"]


def __getattr__(name: str) -> Any:
    if name == "RunloreCallback":
        from runlore_transformers import _callback, _wrapping

        _wrapping.wrapped().want("callback")  # before anybody can look up `trainer.train`
        return _callback.RunloreCallback
    if name == "RunloreTracker":
        from runlore_transformers import _tracker

        return _tracker.RunloreTracker
    raise AttributeError(f"module 'runlore_transformers' has no attribute {name!r}")
