"""runlore for Ray: `RunConfig(callbacks=[RunloreCallback()])` of Tune and of Train, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

from runlore import guest
from runlore_ray._framework import TRAINER

if TYPE_CHECKING:
    from runlore_ray._callback import RunloreCallback

__all__ = ["RunloreCallback"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_ray' has no attribute {name!r}")
    from runlore_ray import _callback

    return _callback.RunloreCallback


def _wrap_tune() -> None:
    """Wrap Tune before anybody looks up `tune.run`, whose own arguments may be the first to name a callback."""
    from runlore_ray import _wrapping

    _wrapping.tune().want("callback")


def _wrap_train() -> None:
    from runlore_ray import _wrapping

    _wrapping.train().want("callback")


guest.once_imported("ray.tune", _wrap_tune)
guest.once_imported(TRAINER, _wrap_train)
