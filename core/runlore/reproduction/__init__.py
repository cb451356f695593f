"""Repeating a recorded run: `prepare` a plan, `carry_out` the plan, `judge` the new run by the first."""

from typing import TYPE_CHECKING

from runlore._lazy import lazy

if TYPE_CHECKING:
    from runlore.reproduction.reproduce import carry_out, prepare
    from runlore.reproduction.verdicts import judge

__getattr__, __dir__ = lazy(__name__, {"carry_out": "reproduce", "judge": "verdicts", "prepare": "reproduce"})

__all__ = ["carry_out", "judge", "prepare"]
