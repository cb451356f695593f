"""Metrics that live on a device: read together now and then, so that no step waits for the device."""

import time
from collections.abc import Callable, Mapping
from typing import Any

MOST = 256  # calls that may wait
LONGEST = 5.0  # seconds that one may wait while others follow

Row = tuple[Mapping[str, Any], int | None, float | None, str | None]


class Deferred:
    """Calls of `log_metrics` in their order, kept as long as a value would have to be fetched from a device.

    Reading such a value waits for all that the device has to do. What waits is written by the first call after five
    seconds, by the 256th, and by `flush`; steps and epochs are those of the call, times those of the writing.
    """

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._rows: list[Row] = []
        self._since = 0.0

    def __call__(self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None) -> None:
        """Write the call, or let it wait; one without a device waits only behind others."""
        on_device = False
        for value in metrics.values():
            if type(value) is not float and is_on_device(value):
                on_device = True
                break
        if not on_device and not self._rows:
            self._write(metrics, step, epoch, split)
            return
        if not self._rows:
            self._since = time.monotonic()
        self._rows.append((dict(metrics), step, epoch, split))
        if len(self._rows) >= MOST or time.monotonic() - self._since > LONGEST:
            self.flush()

    def flush(self) -> None:
        """Write what waits: to be called where the device is idle anyway."""
        while self._rows:
            self._write(*self._rows.pop(0))


def is_on_device(value: Any) -> bool:
    """Whether reading a number means to wait for a device: by what torch and jax say of where an array lies."""
    device = getattr(value, "device", None)
    kind = getattr(device, "type", None) or getattr(device, "platform", None)
    return isinstance(kind, str) and kind != "cpu"
