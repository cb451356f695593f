"""The callback: it begins what is recorded, and tells how it ended where only the parent process knows."""

import os
from collections.abc import Mapping
from typing import Any

from runlore import Store, guest
from runlore.guest.launch import Launch
from runlore_lightning._namespaces import complete, plain, revive, signature_of
from runlore_lightning._recording import Options, Recording, begin_evaluation, forget_left


class RunloreCallback:
    """Records every fit of the Trainers that it is given to: `Trainer(callbacks=[RunloreCallback()])`.

    Works with either namespace. `name`, `experiment` and `tags` are those of the run, `store` the place for it.
    `dry_runs` records `fast_dev_run` and `barebones`, too. With autolog on, or added twice, a fit is still one run.
    """

    _options = Options()  # of a subclass that does without our __init__
    _launch: Launch | None = None

    def __new__(cls, *args: Any, **kwargs: Any) -> "RunloreCallback":
        """An instance that either namespace takes for a Callback of its own."""
        made: RunloreCallback = object.__new__(complete(cls, "callbacks", "Callback"))
        return made

    def __init__(
        self,
        name: str | None = None,
        *,
        experiment: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
        dry_runs: bool = False,
    ) -> None:
        self._options = Options.checked(name, experiment, tags, store, dry_runs=dry_runs)
        self._launch = Launch.prepare(self._options.store)

    @guest.harmless
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Something begins; what is tested or validated is added to the run of the fit before."""
        forget_left(trainer)
        if stage in ("validate", "test"):
            begin_evaluation(trainer, self._options)

    @guest.harmless
    def on_fit_start(self, trainer: Any, pl_module: Any) -> None:
        """The fit begins: after the searches for a learning rate or a batch size, which are none."""
        Recording.begin(trainer, self._options, self._launch and self._launch.handed_over())

    @guest.harmless
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        """The fit failed, maybe in processes that were started for it."""
        recording = Recording.of(trainer)
        if recording is not None and not recording.closed:
            recording.error = exception
        elif trainer.state.fn == "fit" and trainer.strategy.launcher is not None and self._launch is not None:
            self._launch.failed(exception)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        if self._launch is not None:
            self._launch = self._launch.renewed()
        return revive, (plain(type(self)),), vars(self)


RunloreCallback.__signature__ = signature_of(RunloreCallback)  # type: ignore[attr-defined]  # else that of __new__ would be shown
