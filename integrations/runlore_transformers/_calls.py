"""The calls of a Trainer's methods that are under way in this context, and which callback hears of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from runlore.guest.wrapping import Call, Calls
from runlore_transformers._owners import Owner, owners


class Recording(Call, Protocol):
    """Records one call: a training, or an evaluation."""

    @property
    def listener(self) -> Any:
        """The callback that hears of the call."""

    def begin(self, state: Any) -> None:
        """Begin a training; a second time in one call when a batch did not fit into memory."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that the Trainer logs."""

    def saved(self, state: Any) -> None:
        """Record a checkpoint."""


@dataclass(eq=False, slots=True)
class TrainerCall:
    """A call of a Trainer's method; without a recording it is part of another, or not recorded."""

    trainer: Any
    recording: Recording | None

    def end(self, error: BaseException | None) -> None:
        """End the recording: the call has returned, or raised `error`."""
        self.trainer = None  # a context that was copied meanwhile may hold this for long
        if self.recording is not None:
            self.recording.end(error)


calls: Calls[TrainerCall] = Calls("runlore_transformers_calls")  # of train, evaluate, predict


def is_under_way(trainer: Any) -> bool:
    """Return True while a call of a Trainer's method is under way."""
    return any(call.trainer is trainer for call in calls)


def recording_of(callback: Any) -> Recording | None:
    """Return the recording of the innermost call, if that listens to this very callback."""
    call = calls.innermost
    recording = None if call is None else call.recording
    return recording if recording is not None and recording.listener is callback else None


def takes_from(callback: Any, state: Any) -> Recording | Owner | None:
    """Return what records the numbers that a callback hears; outside of all calls, the training with this state."""
    if calls.innermost is not None:
        return recording_of(callback)
    owner = owners().with_state(state)
    return owner if owner is not None and owner.listener is callback else None
