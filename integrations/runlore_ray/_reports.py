"""The reports of workers, as the controller of a training hears them and writes them into the run, from its process."""

from typing import Any

from ray.train.v2._internal.execution.callback import ControllerCallback, ReportCallback, WorkerGroupCallback

from runlore import FitSession, guest
from runlore.guest.launch import Launch
from runlore_ray._framework import NAME, local_path


class Reports(ReportCallback, ControllerCallback, WorkerGroupCallback):
    """Records what rank 0 reports, and checkpoints. Sent to the controller by the process that has begun the run."""

    def __init__(self, launch: Launch, score: tuple[str | None, str], begins: int) -> None:
        self._launch = launch
        self._score, self._order = score
        self._best: float | None = None
        self._count = begins  # of reports
        self._failures = 0
        self._session: FitSession | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return arrival(), ((self._launch.token, self._launch.store, self._launch.outer, self._launch.pid),
                           (self._score, self._order), self._count)  # fmt: skip

    @guest.harmless
    def after_controller_start(self, train_run_context: Any) -> None:
        """Join the run of the training."""
        self._session = FitSession.begin(NAME, guest.FitRequest(launch=self._launch, leader=True))

    @guest.harmless
    def after_report(self, training_report: Any, metrics: Any) -> None:
        """Record what all workers have reported together: the numbers of rank 0, and the checkpoint."""
        self._count += 1
        if self._session is None:
            return
        numbers = metrics[0]
        self._session.metrics(numbers, step=self._count)
        if training_report.checkpoint is not None:
            value = numbers.get(self._score)
            self._session.checkpoint(
                local_path(training_report.checkpoint),
                step=self._count,
                monitor=self._score,
                value=value,
                roles=("best", "last") if self._is_best(value) else ("last",),
            )
        self._session.check_removed()

    def _is_best(self, value: Any) -> bool:
        if not isinstance(value, int | float):
            return False
        sign = 1 if self._order == "max" else -1
        if self._best is not None and sign * value <= sign * self._best:
            return False
        self._best = value
        return True

    @guest.harmless
    def after_worker_group_poll_status(self, worker_group_status: Any) -> None:
        """Note a failure of workers, after which they may be started again."""
        errors = worker_group_status.errors
        if errors and self._session is not None:
            self._failures += 1
            rank, error = min(errors.items())
            self._session.run.note(f"rank {rank} failed after report {self._count}: {error}")
            self._session.run.set_tags({"failures": self._failures})

    @guest.harmless
    def after_controller_finish(self, result: Any) -> None:
        """Leave the run, whose end the process that has begun it tells."""
        self._leave()

    @guest.harmless
    def before_controller_abort(self) -> None:
        """Leave the run: somebody has interrupted the training."""
        self._leave()

    def _leave(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.end()
            session.run.finish()


def arrival() -> Any:
    """Return what makes the callback in the controller; by value, so that one without runlore goes on without it."""

    def arrive(launch: Any, score: Any, begins: Any) -> Any:
        try:
            from runlore.guest.launch import Launch
            from runlore_ray._reports import Reports
        except ImportError:
            from ray.train.v2.api.callback import RayTrainCallback

            return RayTrainCallback()
        token, store, outer, pid = launch
        return Reports(Launch(token, store, outer, pid=pid), score, begins)

    return arrive
