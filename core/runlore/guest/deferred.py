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
        values: dict[str, Any] = {}
        waits = bool(self._rows)
        for name, value in metrics.items():
            if type(value) is not float:
                kind = "cpu" if getattr(value, "is_cpu", False) else _device_of(value)  # the one says it at once
                if kind == "cpu":
                    value = _fetched(value)
                elif kind is not None:
                    waits = True
            values[name] = value
        if not waits:
            self._write(values, step, epoch, split)
            return
        if not self._rows:
            self._since = time.monotonic()
        self._rows.append((values, step, epoch, split))
        if len(self._rows) >= MOST or time.monotonic() - self._since > LONGEST:
            self.flush()

    def flush(self) -> None:
        """Write what waits: to be called where the device is idle anyway."""
        while self._rows:
            self._write(*self._rows.pop(0))


def _device_of(value: Any) -> str | None:
    """What kind of device an array lies on, as arrays say it; None for other values."""
    device = getattr(value, "device", None)
    kind = None if device is None else getattr(device, "type", None) or getattr(device, "platform", None)
    return kind if isinstance(kind, str) else None


def _fetched(value: Any) -> Any:
    """The number in an array of this machine's memory; one with several stays, and is told of by the log."""
    try:
        return value.item()
    except (RuntimeError, ValueError, TypeError):
        return value
