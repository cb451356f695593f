"""What is evaluated behind a fit, or of a loaded model, is added to the run that the weights are of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from runlore import guest
from runlore.additions import Additions
from runlore_keras._recording import Recording, loaded_from

_heard: ContextVar[dict[str, Any] | None] = ContextVar("runlore_keras_heard", default=None)


def is_known(model: Any) -> bool:
    """Whether the model was fitted while runlore listened, or loaded."""
    return Recording.of(model) is not None or loaded_from(model) is not None


@contextmanager
def listening() -> Iterator[dict[str, Any]]:
    """What Keras tells its callbacks at the end of an evaluation in the block, by name."""
    heard: dict[str, Any] = {}
    token = _heard.set(heard)
    try:
        yield heard
    finally:
        _heard.reset(token)


def tell(logs: Mapping[str, Any] | None) -> None:
    """Keras has told its callbacks."""
    heard = _heard.get()
    if heard is not None:
        heard.update(logs or {})


@guest.harmless
def record(model: Any, heard: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Add what was heard, and which data it was measured on."""
    if not heard:
        return
    description = guest.describe(arguments.get("x"))
    suffix = ""
    path = loaded_from(model)
    recording = Recording.of(model)
    if path is not None:
        target = Additions.to_writer_of(path)
    elif recording is not None:
        target = Additions(recording.run), recording.step
        identity = None if description is None else description.fingerprint or description.shape
        suffix = recording.sets.suffix("test", identity)
    else:
        target = None
    if target is None:
        return
    additions, step = target
    additions.metrics({f"{name}{suffix}": value for name, value in heard.items()}, step=step, split="test")
    if description is not None:
        additions.data(f"test{suffix}", description)
