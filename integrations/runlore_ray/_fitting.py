"""The functions of Train that are wrapped: a trainer's `fit`, and what it sends to controller and workers."""

from collections.abc import Callable
from typing import Any

from runlore import guest
from runlore_ray._calls import trainings, wanted
from runlore_ray._trainer import TrainerFit
from runlore_ray._workers import loop_at_work, told_of


@guest.unseen
def fit(original: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    """Call `fit`; only here its exception is seen."""
    options = wanted(trainer.run_config.callbacks)
    if options is None:
        return original(trainer, *args, **kwargs)
    return trainings.during(TrainerFit(trainer, options), original, trainer, *args, **kwargs)


@guest.unseen
def create_callbacks(create: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    """Add a callback of ours to those that the controller calls, behind the user's."""
    found = create(trainer, *args, **kwargs)
    listener = trainings.innermost.listener() if trainings.innermost is not None else None
    return found if listener is None else [*found, listener]


@guest.unseen
def get_loop(get: Callable[..., Any], trainer: Any, *args: Any, **kwargs: Any) -> Any:
    loop = get(trainer, *args, **kwargs)
    training = trainings.innermost
    if training is None or not training.session or trainer.running_in_local_mode:
        return loop
    return loop_at_work(loop, told_of(training.session))
