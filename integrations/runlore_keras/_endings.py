"""The reasons for which a fit ends before its last epoch, or in the midst of that."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from keras.callbacks import EarlyStopping, TerminateOnNaN


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a fit: the callbacks, the numbers of the newest epoch, and what was left to do.

    `epochs` are those to go, and `batches` those of the newest epoch that were left out; None where that is not known.
    """

    callbacks: Iterable[Any]
    logs: Mapping[str, Any]
    epochs: int | None
    batches: int | None

    def reason(self) -> str | None:
        """Return why training stopped, as somebody asked for it; None where it came to its planned end."""
        if any(isinstance(callback, TerminateOnNaN) for callback in self.callbacks) and not _is_finite(self.logs):
            return f"the loss is {float(self.logs['loss']):g}"
        if self.epochs:
            early = (callback for callback in self.callbacks if isinstance(callback, EarlyStopping))
            found = next((callback for callback in early if callback.stopped_epoch), None)
            if found is not None:
                return f"{found.monitor} did not improve for {_counted(found.wait, 'epoch')}"
            return f"stop_training was set, with {_counted(self.epochs, 'epoch')} to go"
        return f"stop_training was set, with {_counted(self.batches, 'batch', 'es')} to go" if self.batches else None


def _is_finite(logs: Mapping[str, Any]) -> bool:
    loss = logs.get("loss")
    return loss is None or math.isfinite(float(loss))


def _counted(number: int, what: str, plural: str = "s") -> str:
    return f"{number} {what}{'' if number == 1 else plural}"
