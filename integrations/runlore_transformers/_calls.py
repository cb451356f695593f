"""The calls of a Trainer's methods that are under way in this context, and which callback hears of them."""

from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from runlore import guest
from runlore.guest.wrapping import ByIdentity, Call, Calls
from runlore_transformers._metrics import qualified
from runlore_transformers._owners import Owner, owners

MAX_EARLY = 1_000  # logs before a training


class RecordedCall(Call, Protocol):
    """A call that is recorded: a training, or an evaluation."""

    @property
    def listener(self) -> Any:
        """The callback that hears of the call."""

    def begin(self, state: Any) -> None:
        """Begin a training; a second time in one call when a batch did not fit into memory."""

    def take(self, logs: Mapping[str, Any], state: Any) -> None:
        """Record numbers that the Trainer logs, or that callbacks have added to them."""

    def steps(self) -> None:
        """Note what the optimizer is about to step with."""

    def saved(self, state: Any) -> None:
        """Record a checkpoint."""


@dataclass(eq=False, slots=True)
class TrainerCall:
    """A call of a Trainer's method; `recorded` is None for a part of another one, and where nothing is recorded."""

    trainer: Any
    recorded: RecordedCall | None

    def end(self, error: BaseException | None) -> None:
        """End what is recorded: the call has returned, or raised `error`."""
        self.trainer = None  # a context that was copied meanwhile may hold this for long
        if self.recorded is not None:
            self.recorded.end(error)


taken: ContextVar[set[Any] | None] = ContextVar("runlore_transformers_taken", default=None)  # names in the logs
calls: Calls[TrainerCall] = Calls("runlore_transformers_calls")  # of train, evaluate, predict


def call_of(trainer: Any) -> TrainerCall | None:
    """Return the innermost call of a Trainer's method that is under way; None where there is none."""
    return next((call for call in calls if call.trainer is trainer), None)


def recorded_call_of(callback: Any) -> RecordedCall | None:
    """Return the innermost call, if it is recorded and listens to this very callback."""
    call = calls.innermost
    recorded = None if call is None else call.recorded
    return recorded if recorded is not None and recorded.listener is callback else None


def receiver_for(callback: Any, state: Any) -> RecordedCall | Owner | None:
    """Return what takes the numbers that a callback hears: a call, or outside of calls the owner with this state."""
    if calls.innermost is not None:
        return recorded_call_of(callback)
    owner = owners().with_state(state)
    return owner if owner is not None and owner.listener is callback else None


class Early(guest.Part):
    """The numbers that a Trainer logs before its first training, by its CallbackHandler: they wait for the run."""

    inherited = True

    def __init__(self) -> None:
        self._logs: ByIdentity[list[dict[str, Any]]] = ByIdentity()

    def keep(self, handler: Any, logs: Mapping[str, Any]) -> None:
        """Keep what is logged now; a Trainer that is never trained logs on without end."""
        kept = self._logs.get(handler)
        if kept is None:
            self._logs.set(handler, kept := [])
        if len(kept) < MAX_EARLY:
            kept.append(dict(logs))

    def pop(self, handler: Any) -> list[dict[str, Any]]:
        """Return what was logged so far, and forget it."""
        return self._logs.pop(handler) or []


@guest.harmless
def take_rest(
    handler: Any, listener_in: Callable[[Any], Any], names: Collection[str], named: Mapping[str, Any]
) -> None:
    """Record the logs but those `names` that our callback has taken; before a training they wait for its run.

    `named` are the arguments of a CallbackHandler's `on_log`, in which `listener_in` finds our callback.
    """
    state: Any = named.get("state")
    listener = listener_in(handler)
    rest = {name: value for name, value in qualified(named.get("logs") or {}).items() if name not in names}
    if not rest or listener is None:
        return
    receiver = receiver_for(listener, state)
    if receiver is not None:
        receiver.take(rest, state)
    elif calls.innermost is None and not guest.in_fit() and state.global_step == 0:
        guest.part(Early).keep(handler, rest)
