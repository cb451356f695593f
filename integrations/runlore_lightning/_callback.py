"""The callback that users give to a Trainer: Lightning calls it, and it has the Trainer tapped by `_wrapping`."""

import os
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from runlore import FitSession, Store, guest
from runlore.guest.launch import Launch
from runlore_lightning._calls import end_left, fit_under_way
from runlore_lightning._entry import Ours, entry
from runlore_lightning._framework import complete, loaded_namespaces, plain, revive, signature_of
from runlore_lightning._options import Options
from runlore_lightning._wrapping import record_evaluation, record_failure, record_fit


class Attachment(Ours):
    """Something to give to a Trainer, that either namespace takes for a callback or logger of its own.

    It holds the options of the runs that it makes. A copy, or what is unpickled in a process that the Trainer started,
    belongs to the same launch.
    """

    base: ClassVar[tuple[str, str]]  # of its instances: module and class, below the namespace
    stands_in: ClassVar[bool] = False  # a callback has to be added for it
    early: FitSession | None = None  # of something that was to be written before a fit
    options = Options()  # of a subclass that does without our __init__, as `launch`
    launch: Launch | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Return an instance that has the base of every namespace that is loaded."""
        made: Self = object.__new__(complete(cls, *cls.base))
        if not isinstance(
            made, cls
        ):  # `cls` was completed before another namespace was loaded: Python leaves it as it is
            type(made).__init__(made, *args, **kwargs)
        entry().want(cls.__name__, calls=cls.stands_in)
        return made

    @classmethod
    def offered(cls) -> type[Self]:
        """Return the class as one that Lightning takes for its own, if it is imported: command lines ask for that."""
        entry().want(cls.__name__, calls=cls.stands_in)  # before anybody loads a module or looks up `trainer.fit`
        return complete(cls, *cls.base) if loaded_namespaces() else cls

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        dry_runs: bool = False,
    ) -> None:
        self.options = Options.checked(self._name_runs(name), experiment, tags, store, dry_runs=dry_runs)
        self.launch = Launch.prepare(self.options.store)
        self._begin()

    def hand_over(self, session: FitSession) -> None:
        """Write what has waited for a fit; `early` is a part of it now."""

    def _begin(self) -> None:
        """Do what is to be done as soon as it is made."""

    def _name_runs(self, name: str | None) -> str | None:
        """Return the name of the runs; None where each gets its own when it begins."""
        return name

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self.launch is not None:
            self.launch = self.launch.renewed()
        return revive, (plain(type(self)),), self.__getstate__()


Attachment.__signature__ = signature_of(Attachment)  # type: ignore[attr-defined]  # else that of __new__ would be shown


class RunloreCallback(Attachment):
    """Records every fit of the Trainers that it is given to: `Trainer(callbacks=[RunloreCallback()])`.

    Works with either namespace. `name`, `experiment` and `tags` are those of the run, `store` the place for it.
    `dry_runs` records `fast_dev_run` and `barebones`, too. With autolog on, or added twice, a fit is still one run.
    """

    base = "callbacks", "Callback"

    @guest.harmless
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Record what is tested or validated with the run that the weights are of."""
        end_left(trainer)
        for logger in _attachments(trainer.loggers):
            logger.attach(trainer)
        if stage in ("validate", "test"):
            record_evaluation(trainer, self._all_options(trainer))

    @guest.harmless
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """Record the fit; searches for a learning rate or a batch size don't come here."""
        loggers = _attachments(trainer.loggers)
        early = next(filter(None, (logger.early for logger in loggers)), None)
        launch = self.launch if trainer.strategy.launcher is not None else None  # else the user has forked
        fit = record_fit(trainer, self._all_options(trainer), launch and launch.handed_over(), early)
        if fit is not None:
            for logger in loggers:
                logger.hand_over(fit.training.session)

    @guest.harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """Note why the fit failed: in its run, or for the processes that were started for it and can't tell.

        One that failed before it began is recorded now, by the first callback of ours.
        """
        fit = fit_under_way(trainer)
        if fit is not None:
            fit.ending.error = exception
            return
        is_first = next(iter(_attachments(trainer.callbacks)), None) is self
        if trainer.state.fn != "fit" or not is_first:
            return
        launch = None if trainer.strategy.launcher is None else self.launch
        if launch is None or not launch.failed(exception):
            record_failure(trainer, self._all_options(trainer), exception)

    def _all_options(self, trainer: Any) -> Options:
        """Return the options of this callback, completed by those of the others of ours, and of our loggers."""
        ours = (*_attachments(trainer.callbacks), *_attachments(trainer.loggers))
        return self.options.completed_by(item.options for item in ours if item is not self)


def _attachments(items: Any) -> list[Attachment]:
    return [item for item in items if isinstance(item, Attachment)]
