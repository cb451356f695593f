"""runlore for PyTorch Lightning: `Trainer(callbacks=[RunloreCallback()])`, or `runlore.autolog()` alone."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runlore_lightning._callback import RunloreCallback
    from runlore_lightning._logger import RunloreLogger

__all__ = ["RunloreCallback", "RunloreLogger"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'runlore_lightning' has no attribute {name!r}")
    from importlib import import_module

    home = "_callback" if name == "RunloreCallback" else "_logger"
    return getattr(import_module(f"runlore_lightning.{home}"), name).offered()
