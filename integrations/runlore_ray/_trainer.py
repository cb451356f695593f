"""A call of a trainer's `fit`: one run, which the process that called it begins and ends."""

import os
from typing import Any

from runlore import FitSession
from runlore.guest.captured import Captured, defaults_of, marked
from runlore.guest.launch import Launch
from runlore.guest.opening import SHARED
from runlore.guest.options import RunOptions
from runlore_ray._framework import NAME, named
from runlore_ray._reports import Reports


class TrainerFit:
    """Records a fit. Its controller, a process of Ray's, adds what workers report."""

    def __init__(self, trainer: Any, options: RunOptions) -> None:
        storage = trainer.run_config.storage_context
        resumed = _is_there(storage, storage.checkpoint_manager_snapshot_path)
        place = named(storage)
        tags = {"trainer": type(trainer).__name__, "study": storage.experiment_dir_name}
        tags |= {} if resumed else {SHARED: place}
        self.session = FitSession.begin(NAME, options.request(tags=tags, shared=place if resumed else None))
        self.session.params(lambda: params_of(trainer))
        self._trainer = trainer
        self._begins = self._last_step() if resumed else 0

    def listener(self) -> Reports | None:
        """Return what is to hear its controller; None where nothing is recorded."""
        if not self.session:
            return None
        run = self.session.run
        launch = Launch(run.id, str(run.folder.root), run.id, pid=os.getpid())
        config = self._trainer.run_config.checkpoint_config
        score = config.checkpoint_score_attribute, config.checkpoint_score_order
        return Reports(launch, score, self._begins)

    def end(self, error: BaseException | None) -> None:
        """End the run: the call has returned, or raised `error`."""
        if self._trainer.running_in_local_mode:
            self.session.missing("metrics", "without workers (num_workers=0) Ray tells nobody what is reported")
        self.session.end(error, interrupted=isinstance(error, SystemExit))  # as Ray's handler of Ctrl-C leaves

    def _last_step(self) -> int:
        """Return how many reports the run has that goes on."""
        series = self.session.store.run(self.session.run.id).metrics.values()
        return max((int(item.steps[-1]) for item in series if item.count), default=0)


def params_of(trainer: Any) -> dict[str, Any]:
    """Return what a trainer was made of."""
    scaling, run = trainer.scaling_config, trainer.run_config
    config = trainer.train_loop_config
    found = dict(config) if isinstance(config, dict) else {}
    names = ("num_workers", "use_gpu", "use_tpu", "resources_per_worker", "accelerator_type")
    return {
        **found,
        "scaling_config": marked({name: getattr(scaling, name, None) for name in names}, defaults_of(type(scaling))),
        "max_failures": Captured(run.failure_config.max_failures),
        "backend": Captured(type(trainer.backend_config).__name__),
        **({"datasets": Captured(sorted(trainer.datasets))} if trainer.datasets else {}),
    }


def _is_there(storage: Any, path: str) -> bool:
    return bool(storage.storage_filesystem.get_file_info([path])[0].is_file)
