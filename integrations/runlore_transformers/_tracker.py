"""A tracker for training loops of one's own with accelerate: `Accelerator(log_with=RunloreTracker())`."""

import os
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

from accelerate import Accelerator, tracking
from accelerate.tracking import GeneralTracker, on_main_process

from runlore import FitSession, Store, guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import Wrappers
from runlore_transformers._framework import NAME

_project: ContextVar[str | None] = ContextVar("runlore_transformers_project", default=None)  # that is being begun


class RunloreTracker(GeneralTracker):
    """Records a loop with accelerate: `Accelerator(log_with=RunloreTracker("digits"))`, or `log_with="runlore"`.

    The first argument is the experiment; without it that is the name of the project that `init_trackers` is given. The
    run begins with `init_trackers` and ends with `end_training`, or with Python.
    """

    name = "runlore"
    requires_logging_directory = False
    main_process_only = True

    def __init__(
        self,
        experiment: str | None = None,
        *,
        run_name: str | None = None,
        tags: Mapping[str, Any] | None = None,
        store: Store | str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        self._options = RunOptions.checked(run_name, experiment, tags, store)
        self._session: FitSession | None = None
        self._before: BaseException | None = None
        self._used = False

    @property
    def tracker(self) -> Any:
        """The run that is being written; None before it begins."""
        return self._session.run if self._session else None

    @on_main_process
    def start(self) -> None:
        """Begin the run; a second call has no effect as long as nothing was logged.

        Trainings that are recorded by other means meanwhile are runs of their own.
        """
        if self._session and not self._used:
            return
        self.finish()
        self._before, self._used = sys.exception(), False
        experiment = self._options.experiment or _project.get()
        self._session = FitSession.begin(NAME, self._options.request(leader=True, experiment=experiment))
        self._session.pause()

    @on_main_process
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Record the settings of the training."""
        if self._session:
            self._used = True
            self._session.params(values)

    @on_main_process
    def log(self, values: Mapping[str, Any], step: int | None = None, **_: Any) -> None:
        """Record numbers of a step; texts among them become notes."""
        if self._session:
            self._used = True
            texts = {name: value for name, value in values.items() if isinstance(value, str)}
            numbers = {name: value for name, value in values.items() if name not in texts}
            self._session.metrics(numbers, step=step)
            if texts:
                self._session.record(lambda session: session.run.note(str(texts)))

    @on_main_process
    def finish(self) -> None:
        """End the run; the training has failed if an exception is being handled that was not when it began."""
        if self._session is not None:
            error = sys.exception()
            self._session.end(None if error is self._before else error)
            self._session = self._before = None


@guest.unseen
def _init_trackers(init_trackers: Callable[..., Any], accelerator: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `init_trackers`, which names the project to trackers that are given by name, and not to objects."""
    project = kwargs.get("project_name", args[0] if args else None)  # its signature doesn't tell
    token = _project.set(None if project is None else str(project))
    try:
        return init_trackers(accelerator, *args, **kwargs)
    finally:
        _project.reset(token)


Wrappers().wrap(Accelerator, "init_trackers", _init_trackers)

if hasattr(tracking, "register_tracker_class"):  # older versions take only the object
    tracking.register_tracker_class(RunloreTracker)  # for Accelerator(log_with="runlore")
