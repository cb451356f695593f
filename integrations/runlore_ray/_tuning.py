"""The functions of Tune that are wrapped: what runs an experiment, and what that makes on its way."""

import sys
from collections.abc import Callable
from typing import Any

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import arguments
from runlore_ray._calls import TuneCall, tunings, wanted
from runlore_ray._listener import Listener
from runlore_ray._owners import known
from runlore_ray._params import iteration_of
from runlore_ray._search import Experiment


@guest.unseen
def run(tune_run: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call `tune.run`; only here its exception is seen."""
    named = arguments(tune_run, *args, **kwargs)
    options = wanted(named.get("callbacks"))
    if options is None:
        return tune_run(*args, **kwargs)
    return tunings.during(TuneCall(options, tune_run, named), tune_run, *args, **kwargs)


@guest.unseen
def make(init: Callable[..., Any], controller: Any, *args: Any, **kwargs: Any) -> Any:
    """Begin the run of an experiment once it is known where it lies, and whether it goes on."""
    options = wanted(kwargs.get("callbacks"))
    if options is None:
        return init(controller, *args, **kwargs)
    listener = Listener()
    result = init(controller, *args, **{**kwargs, "callbacks": [*(kwargs.get("callbacks") or ()), listener]})
    _begin(controller, kwargs, options, listener)
    return result


@guest.harmless
def _begin(controller: Any, made_of: dict[str, Any], options: RunOptions, listener: Listener) -> None:
    call = tunings.innermost
    listener.experiment = experiment = Experiment(controller, made_of, options)
    known().experiments.set(controller, experiment)
    if call is not None and call.experiment is None:
        call.experiment = experiment
        experiment.asked_for(call.run, call.arguments)
    else:  # the user has looked `tune.run` up before it was wrapped
        experiment.asked_for(None, {})


@guest.unseen
def clean_up(original: Callable[..., Any], controller: Any, *args: Any, **kwargs: Any) -> Any:
    experiment = known().experiments.pop(controller)
    if experiment is None:
        return original(controller, *args, **kwargs)
    experiment.concluded()
    try:
        return original(controller, *args, **kwargs)
    finally:
        call = tunings.innermost
        if call is None or call.experiment is not experiment:
            experiment.end(sys.exception())


@guest.unseen
def process(original: Callable[..., Any], controller: Any, trial: Any, result: Any, *args: Any, **kwargs: Any) -> Any:
    """Note what a trial itself says of its end, before Tune adds what it thinks of it."""
    found = known().trials.get(trial)
    if found is not None:
        found.says_done = bool(result.get("done")) or "__duplicate__" in result
    return original(controller, trial, result, *args, **kwargs)


@guest.unseen
def exploit(original: Callable[..., Any], scheduler: Any, controller: Any, trial: Any, donor: Any) -> Any:
    """Note that a trial of a population goes on with the weights of another one."""
    result = original(scheduler, controller, trial, donor)
    ours, other = known().trials.get(trial), known().trials.get(donor)
    if ours is not None and other is not None:
        ours.exploits(other, iteration_of(trial.latest_checkpoint_result.metrics))
    return result


@guest.unseen
def get_class(get: Callable[..., Any], cache: Any, trainable: Any) -> Any:
    """Send a class of ours in place of the user's, which trains as that does, below the run of its trial."""
    experiment = tunings.innermost and tunings.innermost.experiment
    if not experiment or not experiment.session:
        return get(cache, trainable)
    return get(cache, experiment.sent(trainable))
