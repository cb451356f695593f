"""Record what is tested or validated: with the run that the weights are of, else in a run of its own."""

from collections.abc import Mapping
from typing import Any

from runlore import FitSession, guest
from runlore.guest.additions import Additions, tensors_of
from runlore.guest.session import Beside
from runlore.guest.wrapping import Written
from runlore_lightning._calls import Target
from runlore_lightning._checkpoints import absolute
from runlore_lightning._data import record_evaluated
from runlore_lightning._framework import NAME
from runlore_lightning._metrics import Points
from runlore_lightning._options import Options
from runlore_lightning._owners import maker_of, owners
from runlore_lightning._params import EVALUATED


def beside_fit(module: Any) -> Beside | None:
    """Return what records an evaluation within a fit that is no part of it; None where that fit is not recorded."""
    owner = owners().of(module)
    return Beside.fit_under_way(module, type(module).__name__, None if owner is None else owner.session.run.id)


class Evaluation:
    """A test or validation. Where its numbers go is known once it has some: by then the weights are loaded.

    `written` is the data in the user's call. `beside` takes the numbers of an evaluation within a fit.
    """

    def __init__(self, trainer: Any, options: Options, written: Written, beside: Beside | None = None) -> None:
        self._trainer = trainer
        self._options = options
        self._written = written
        self._stage = "test" if trainer.state.fn.value == "test" else "val"
        self._target: Target | None = beside
        self._ending: str | None = None  # of the metrics' names; None while the data is not known
        self._over = False

    @guest.harmless
    def take(self, metrics: Mapping[str, Any], step: int | None) -> None:
        """Record metrics that the trainer gives to its loggers."""
        target = self.target()
        if target is None:
            return
        if self._ending is None:
            self._ending = record_evaluated(target, self._trainer, self._stage, self._written)
        at: tuple[int | None, float | None] = (0, 0)
        if isinstance(target, Beside):
            step, at = None, (None, None)
        elif isinstance(target, Additions):
            at = target.step, target.epoch
        named = {f"{name}{self._ending}": value for name, value in metrics.items()} if self._ending else metrics
        if isinstance(target, Additions) and step is None and target.step is not None:
            named = target.beside_recorded(named, self._stage)
        if named:
            Points(self._trainer, target.metrics, at).write(named, step)

    def target(self) -> Target | None:
        """Return what takes the numbers; None once the evaluation is over."""
        if self._target is None and not self._over:
            self._target = self._known() or self._begin()
        return self._target

    def end(self, error: BaseException | None) -> None:
        """Close the run; nothing is added after that."""
        target, self._target, self._over = self._target, None, True
        if isinstance(target, Additions):
            target.close()
        elif isinstance(target, FitSession):
            target.end(error)

    def _known(self) -> Additions | None:
        """Return the run that the weights are of; None where no run is known to have made them."""
        trainer, known = self._trainer, owners()
        module, checkpoint = trainer.lightning_module, trainer.ckpt_path
        owner = known.of(module) or (None if checkpoint is None else known.of(trainer))
        if checkpoint is not None:
            at = None if owner is None else owner.steps.get(absolute(checkpoint))
            if owner is None or at is None:
                known.set_file(module, checkpoint)
                return Additions.to_writer_of(checkpoint, self._options.store)
            owner.weights.note(*at, tensors_of(module))
            return Additions(owner.session.run, *at)
        if owner is not None and (found := owner.additions_for(module)) is not None:
            return found
        path = known.file_of(module)
        store = self._options.store
        found = (None if path is None else Additions.to_writer_of(path, store)) or maker_of(module, store)
        baseline = known.baseline_of(module)
        return found or (None if baseline is None else Additions(baseline.run, 0, 0))

    def _begin(self) -> FitSession | None:
        """Begin a run of its own, which the first fit of the module goes on with: this is its baseline."""
        trainer = self._trainer
        tags = {"model": type(trainer.lightning_module).__name__}
        owner = owners().of(trainer.lightning_module)
        after = None if owner is None else owner.session.run  # the weights have changed since
        request = self._options.request(tags=tags, after=after, leader=trainer.is_global_zero, visits=True)
        session = FitSession.begin(NAME, request)
        if not session:
            self._over = True
            return None
        for part in EVALUATED:
            session.params(lambda part=part: part(trainer))  # type: ignore[misc]
        owners().set_baseline(trainer.lightning_module, session)
        return session
