"""Example completions, which a callback of trl generates and keeps as texts."""

import sys
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from typing import Any

from runlore import FitSession

KEY = "completions"


class Completions:
    """Records what a `LogCompletionsCallback` generates in one training: a table for each of its steps.

    The callback has gathered the texts already, on the process that writes the run, and each with its step; so they may
    be taken later than they are made.
    """

    def __init__(self, callbacks: Iterable[Any]) -> None:
        self._callbacks = callbacks
        self._seen = {id(callback): len(callback.table) for callback in _generating(callbacks)}  # of trainings before

    def record(self, session: FitSession) -> None:
        """Record what was generated since the last call."""
        for callback in _generating(self._callbacks):
            rows = callback.table[self._seen.get(id(callback), 0) :]
            self._seen[id(callback)] = len(callback.table)
            for step, of_step in groupby(rows, itemgetter(0)):
                _keep(session, int(step), [{"prompt": prompt, "completion": text} for _, prompt, text in of_step])


def _generating(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks that generate completions; none can be there as long as nobody has imported them."""
    # Of `trl` itself, which imports lazily, the question would load the class.
    kind = getattr(sys.modules.get("trl.trainer.callbacks"), "LogCompletionsCallback", None)
    return [] if kind is None else [callback for callback in callbacks if isinstance(callback, kind)]


def _keep(session: FitSession, step: int, rows: list[dict[str, str]]) -> None:
    session.media(lambda run: run.log_table(KEY, rows, step=step), asked=False)
