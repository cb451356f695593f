"""What is evaluated behind a fit, or of a loaded model, is added to the run that the weights are of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from runlore import guest
from runlore.additions import Additions
from runlore_keras import _data
from runlore_keras._recording import Recording, loaded_from, was_loaded

_heard: ContextVar[dict[str, Any] | None] = ContextVar("runlore_keras_heard", default=None)


@guest.harmless
def is_known(model: Any) -> bool:
    """Whether the weights are of a fit that was recorded, or out of a file."""
    return was_loaded(model) or Recording.of(model) is not None


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
    suffix = ""
    recording = Recording.of(model)
    if not heard:
        return
    if was_loaded(model):
        path = loaded_from(model)
        target = None if path is None else Additions.to_writer_of(path)
    elif recording is not None:
        target = Additions(recording.run), recording.step
        suffix = recording.sets.suffix("test", tuple(_identity(data) for _, data in _data.arguments_of(arguments)))
    else:
        target = None
    if target is None:
        return
    additions, step = target
    additions.metrics({f"{name}{suffix}": value for name, value in heard.items()}, step=step, split="test")
    for name, data in _data.arguments_of(arguments):
        _data.describe(additions, f"test{suffix}" if name == "x" else f"test{suffix}_{name}", data)


def _identity(data: Any) -> Any:
    """What tells one set of data from another: its content, where that can be known."""
    found = guest.describe(data)
    return id(data) if found is None or found.fingerprint is None else found.fingerprint
