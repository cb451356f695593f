"""A network of one hidden layer in numpy, and a trainer with callbacks and checkpoints."""

from tinynet.training import Callback, Net, Settings, Trainer

__all__ = ["Callback", "Net", "Settings", "Trainer"]
