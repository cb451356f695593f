"""A call of `evaluate` outside of a fit: its numbers are added to the run that the weights come from."""

from collections.abc import Mapping
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import token_of
from runlore_keras._data import data_in, record_data
from runlore_keras._owners import owners


class Evaluation:
    """A call of `evaluate` for weights of a recorded fit or of a file; its arguments by name."""

    def __init__(self, model: Any, arguments: Mapping[str, Any]) -> None:
        self._model = model
        self._arguments = arguments
        self._metrics: dict[str, Any] = {}

    @classmethod
    @guest.harmless
    def begin(cls, model: Any, arguments: Mapping[str, Any]) -> "Evaluation | None":
        """Return the evaluation that begins; None where the weights come from no recorded fit and from no file."""
        known = owners()
        return cls(model, arguments) if known.was_loaded(model) or known.of(model) is not None else None

    def take(self, logs: Mapping[str, Any] | None) -> None:
        """Take the metrics that Keras tells its callbacks at the end of an evaluation."""
        self._metrics.update(logs or {})

    @guest.harmless
    def end(self, error: BaseException | None) -> None:
        """Add the metrics and the data to the run, unless the call raised `error`."""
        target = _target(self._model) if error is None and self._metrics else None
        if target is None:
            return
        additions, step, sets = target
        data = {_name_of(name): part for name, part in data_in(self._arguments)}
        found = {name: guest.describe(part) for name, part in data.items()}
        prints = {name: None if item is None else item.fingerprint for name, item in found.items()}
        identity = tuple(known_by or token_of(data[name]) for name, known_by in prints.items())
        if identity not in sets:
            sets[identity] = additions.suffix("test", prints)
        suffix = sets[identity]
        metrics = {f"{name}{suffix}": value for name, value in self._metrics.items()}
        additions.metrics(metrics, step=step, split="test")
        for name, part in data.items():
            record_data(additions, name.replace("test", f"test{suffix}", 1), part, found[name])


def _name_of(argument: str) -> str:
    """Return the name for the data in an argument of `evaluate`: "test" for "x", "test.0" for "x.0", "test_y"."""
    name, dot, part = argument.partition(".")
    return f"{'test' if name == 'x' else f'test_{name}'}{dot}{part}"


def _target(model: Any) -> tuple[Additions, int | None, dict[Any, str]] | None:
    """Return the run that the weights come from, their step, and the suffixes of the sets that it was evaluated on."""
    known = owners()
    if known.was_loaded(model):
        path = known.file_of(model)
        found = None if path is None else Additions.to_writer_of(path)
        return None if found is None else (*found, {})
    owner = known.of(model)
    return None if owner is None else (Additions(owner.session.run), owner.step, owner.sets)
