"""Metrics that lie on a device are read together now and then, so that no step waits for the device."""

import time
from collections.abc import Callable, Mapping
from typing import Any

MAX_ROWS = 256  # calls that may wait
MAX_WAIT_S = 5.0  # seconds that one may wait while others follow

Row = tuple[Mapping[str, Any], int | None, float | None, str | None]


class Deferred:
    """Passes calls on to `write` in their order, and lets those wait that have a value on a device.

    Reading such a value waits for all work of the device. Waiting calls are written by the first call after five
    seconds, by the 256th, and by `flush`, with the steps and epochs of the call and the time of the writing.
    """

    def __init__(self, write: Callable[..., None]) -> None:
        self._write = write
        self._rows: list[Row] = []
        self._since = 0.0

    def __call__(self, metrics: Mapping[str, Any], step: int | None, epoch: float | None, split: str | None) -> None:
        """Write the call, or let it wait; one without a value on a device waits only behind others."""
        if not self._rows:
            for value in metrics.values():
                if type(value) is not float and not isinstance(value, float):  # numpy's float64 is one, too
                    break
            else:  # as at most steps
                self._write(metrics, step, epoch, split)
                return
        values: dict[str, Any] = {}
        waits = bool(self._rows)
        for name, value in metrics.items():
            if not isinstance(value, float):
                kind = "cpu" if getattr(value, "is_cpu", False) else _device_of(value)  # `is_cpu` is fast
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
        if len(self._rows) >= MAX_ROWS or time.monotonic() - self._since > MAX_WAIT_S:
            self.flush()

    def flush(self) -> None:
        """Write the waiting calls; best called where the device is idle anyway."""
        while self._rows:
            self._write(*self._rows.pop(0))


def _device_of(value: Any) -> str | None:
    """Return the kind of device that an array says it lies on; None for other values."""
    device = getattr(value, "device", None)
    kind = None if device is None else getattr(device, "type", None) or getattr(device, "platform", None)
    return kind if isinstance(kind, str) else None


def _fetched(value: Any) -> Any:
    """Return the number in an array of this machine's memory; an array of several stays, and the log reports it."""
    try:
        return value.item()
    except (RuntimeError, ValueError, TypeError):
        return value
