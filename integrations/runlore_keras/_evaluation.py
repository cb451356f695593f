"""A call of `evaluate`, behind a fit or in a callback: its numbers are added to the run that the weights come from.

Those of a model that no run has made wait in memory for its fit, as the baseline of that.
"""

import re
import weakref
from collections.abc import Mapping
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.opening import visit
from runlore.guest.recorder import Recorder
from runlore.guest.session import Beside
from runlore.guest.wrapping import Written, token_of
from runlore.hookspecs import DataDescription
from runlore_keras._data import data_in, record_data
from runlore_keras._framework import NAME
from runlore_keras._owners import Sets, additions_of, owners

Descriptions = dict[str, DataDescription | None]


def beside_fit(model: Any) -> Beside | None:
    """Return what records an evaluation of a model within the fit of another; None where that fit is not recorded.

    Of a name that Keras has made, "sequential_3", the class is taken: the number is another one in each process.
    """
    owner, name, kind = owners().last(model), str(model.name), type(model).__name__
    label = kind if re.sub(r"[_\d]", "", name) == kind.lower() else name
    return Beside.fit_under_way(model, label, None if owner is None else owner.session.run.id)


class Evaluation:
    """A call of `evaluate`: its arguments by name, and x as it is written there.

    `beside` takes the numbers where the call is made within the fit of another model.
    """

    def __init__(
        self, model: Any, arguments: Mapping[str, Any], written: Written, beside: Beside | None = None
    ) -> None:
        self._model = model
        self._beside = beside
        self._arguments = arguments
        self._written = written
        self._metrics: dict[str, Any] = {}

    def take(self, logs: Mapping[str, Any] | None) -> None:
        """Take the metrics that Keras tells its callbacks at the end of an evaluation."""
        self._metrics.update(logs or {})

    @guest.harmless
    def end(self, error: BaseException | None) -> None:
        """Add the metrics and the data to the run, or let them wait for one, unless the call raised `error`."""
        if error is not None or not self._metrics:
            return
        data = dict(data_in(self._arguments))
        if self._beside is not None:
            self._tell(self._beside, data, owners().sets_in(self._beside.session))
            return
        additions, owner = additions_of(self._model), owners().last(self._model)
        if additions is None:
            if owners().has_room(self._model):  # else it may be a loop that never trains
                self._wait(data)
        elif owner is None or owner.training is None:
            _Evaluated(self._metrics, data, self._written).add_to(additions)
        else:
            self._tell(additions, data, owners().sets_in(owner.session), additions.step, additions.epoch)

    def _wait(self, data: dict[str, Any]) -> None:
        """Let the numbers wait for the fit of the model; where the user has a run open, they are added to that."""
        evaluated = _Evaluated(self._metrics, data, self._written)
        waiting = owners().wait(self._model, evaluated)
        waiting.visited = waiting.visited or visit(NAME, {"model": type(self._model).__name__})
        if waiting.visited is not None:
            evaluated.add_to(Additions(waiting.visited.run, 0, 0.0))
        evaluated.let_go()

    def _tell(
        self,
        target: Recorder,
        data: dict[str, Any],
        sets: Sets,
        step: int | None = None,
        epoch: float | None = None,
    ) -> None:
        """Record what may be evaluated again and again, in a callback: the same objects are described once."""
        key = tuple((name, token_of(part)) for name, part in data.items())
        if key in sets:
            _write(target, self._metrics, *sets[key], step, epoch)
        else:
            sets[key] = _Evaluated(self._metrics, data, self._written).add_to(target, step, epoch)


class _Evaluated:
    """The numbers of an evaluation; the data by the arguments, such as "x", "x.0" and "y"."""

    def __init__(self, metrics: Mapping[str, Any], data: dict[str, Any], written: Written) -> None:
        self._metrics = metrics
        self._data = data
        self._written = written
        self._found = {name: guest.describe(part) for name, part in data.items()}

    def let_go(self) -> None:
        """Keep no data: only its description, where that has a fingerprint, else a weak reference."""
        self._data = {name: _kept(part, self._found[name]) for name, part in self._data.items()}

    def add_to(self, target: Recorder, step: int | None = None, epoch: float | None = None) -> tuple[str, str]:
        """Record the numbers and the data; return the stage, and what the names of the numbers end in.

        The stage is "val" where it is the set of the fit's own validation, else "test". Additions without a `step` are
        at that of the weights, and replace no number that is there.
        """
        data = {name: part() if isinstance(part, weakref.ref) else part for name, part in self._data.items()}
        data = {name: part for name, part in data.items() if part is not None}
        whole = "val" if set(data) == {"x"} and self._found["x"] is None else "val_x"  # as `fit` names it
        parts, found = self._named(data, whole)
        stage, named = "val", target.met_before("val", parts, found=found)
        if named is None:
            parts, found = self._named(data, "test")
            stage, named = "test", target.evaluated_on("test", parts, found=found, written=self._written)
            for name, part in parts.items():
                record_data(target, named.name_of(name), part, found[name])
        _write(target, self._metrics, stage, named.ending, step, epoch)
        return stage, named.ending

    def _named(self, data: Mapping[str, Any], whole: str) -> tuple[dict[str, Any], Descriptions]:
        """Return the data and its descriptions by the names of a stage; `whole` is that of x."""
        names = {name: _name_of(name, whole) for name in data}
        return {names[name]: part for name, part in data.items()}, {names[name]: self._found[name] for name in data}


def _write(
    target: Recorder, metrics: Mapping[str, Any], stage: str, ending: str, step: int | None, epoch: float | None
) -> None:
    named: Mapping[str, Any] = {f"{stage}/{name}{ending}": value for name, value in metrics.items()}
    if isinstance(target, Additions) and step is None:
        named = target.beside_recorded(named, stage)  # by another loss, say
    target.metrics(named, step=step, epoch=epoch, split=stage)


def _kept(part: Any, found: DataDescription | None) -> Any:
    if found is not None and found.fingerprint is not None:
        return found
    try:
        return weakref.ref(part)
    except TypeError:
        return None


def _name_of(argument: str, whole: str) -> str:
    """Return the name for the data in an argument of `evaluate`: "test" for "x", "test.0" for "x.0", "test_y"."""
    name, dot, part = argument.partition(".")
    stage = whole.partition("_")[0]
    return f"{whole if name == 'x' else f'{stage}_{name}'}{dot}{part}"
