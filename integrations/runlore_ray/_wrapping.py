"""The functions of Ray that are wrapped: of Tune and of Train apart, as a user may have imported one alone.

Tune tells its callbacks of trials, and nobody how the experiment ended. Train calls callbacks in a process of its own.
An experiment, or a training, is recorded if its callbacks hold one of ours, or autolog is on.
"""

import sys

from runlore import guest
from runlore.guest.wrapping import OnDemand, Wrappers
from runlore_ray import _framework


class Tune(OnDemand, guest.Part):
    """The wrapped functions of Tune in this process, as long as a callback may be used or autolog is on."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap_tune)


class Train(OnDemand, guest.Part):
    """Those of Train."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap_train)


def tune() -> Tune:
    """Return the wrappers of Tune in this process."""
    return guest.part(Tune)


def train() -> Train:
    """Return the wrappers of Train in this process."""
    return guest.part(Train)


def _wrap_tune(wrappers: Wrappers) -> None:
    from ray.tune.execution.class_cache import _ActorClassCache
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.impl import tuner_internal
    from ray.tune.schedulers import PopulationBasedTraining

    from runlore_ray import _tuning

    if wrappers:
        return
    _framework.check_version()
    for module in ("ray.tune", "ray.tune.tune", tuner_internal.__name__):  # each has the function by its name
        wrappers.wrap(sys.modules[module], "run", _tuning.run)
    wrappers.wrap(TuneController, "__init__", _tuning.make)
    wrappers.wrap(TuneController, "cleanup", _tuning.clean_up)
    wrappers.wrap(TuneController, "_process_trial_result", _tuning.process)
    wrappers.wrap(PopulationBasedTraining, "_exploit", _tuning.exploit)
    wrappers.wrap(_ActorClassCache, "get", _tuning.get_class)


def _wrap_train(wrappers: Wrappers) -> None:
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

    from runlore_ray import _fitting

    if wrappers:
        return
    _framework.check_version()
    wrappers.wrap(DataParallelTrainer, "fit", _fitting.fit)
    wrappers.wrap(DataParallelTrainer, "_create_default_callbacks", _fitting.create_callbacks)
    wrappers.wrap(DataParallelTrainer, "_get_train_func", _fitting.get_loop)
