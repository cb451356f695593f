"""What is evaluated behind a fit, or of a loaded model, is added to the run that the weights are of."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import token_of
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
    target = _target(model)
    if not heard or target is None:
        return
    additions, step, known = target
    data = {_name_of(name): part for name, part in _data.arguments_of(arguments)}
    found = {name: guest.describe(part) for name, part in data.items()}
    prints = {name: None if item is None else item.fingerprint for name, item in found.items()}
    identity = tuple(known_by or token_of(data[name]) for name, known_by in prints.items())
    if identity not in known:
        known[identity] = additions.suffix("test", prints)
    suffix = known[identity]
    additions.metrics({f"{name}{suffix}": value for name, value in heard.items()}, step=step, split="test")
    for name, part in data.items():
        _data.describe(additions, name.replace("test", f"test{suffix}", 1), part, found[name])


def _name_of(argument: str) -> str:
    """What an argument of `evaluate` is recorded under: "test" for `x`, "test.0" for its first part, "test_y"."""
    name, dot, part = argument.partition(".")
    return f"{'test' if name == 'x' else f'test_{name}'}{dot}{part}"


def _target(model: Any) -> tuple[Additions, int | None, dict[Any, str]] | None:
    """The run that the weights are of, their step, and the names of the sets that it knows."""
    if was_loaded(model):
        path = loaded_from(model)
        found = None if path is None else Additions.to_writer_of(path)
        return None if found is None else (*found, {})
    recording = Recording.of(model)
    return None if recording is None else (Additions(recording.run), recording.step, recording.sets)
