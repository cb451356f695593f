"""The functions of Optuna that are wrapped: what optimizes, asks and tells, and what a trial is told of itself.

A callback hears nothing of a trial whose exception nobody catches, nor of one that begins, so `Study.optimize` hands on
an objective of ours around the user's. A study is recorded if its callbacks hold one of ours, or autolog is on.
"""

from collections.abc import Callable, Mapping
from typing import Any

from runlore import guest
from runlore.guest.options import RunOptions
from runlore.guest.wrapping import OnDemand, Wrappers, arguments
from runlore_optuna import _framework
from runlore_optuna._callback import RunloreCallback
from runlore_optuna._owners import studies
from runlore_optuna._search import Search, asked_search_of, search_of

CALLBACKS = 5  # the place of `callbacks` among the arguments of `optimize` behind the study
SUGGESTIONS = ("suggest_float", "suggest_int", "suggest_categorical")


class Wrapped(OnDemand, guest.Part):
    """The wrapped functions of this process, as long as a callback may be used or autolog is on."""

    inherited = True

    def __init__(self) -> None:
        super().__init__(_wrap)


def wrapped() -> Wrapped:
    """Return the wrappers of this process."""
    return guest.part(Wrapped)


def _wrap(wrappers: Wrappers) -> None:
    from optuna import Study, Trial

    if wrappers:
        return
    _framework.check_version()
    wrappers.wrap(Study, "optimize", _optimize)
    wrappers.wrap(Study, "ask", _ask)
    wrappers.wrap(Study, "tell", _tell)
    wrappers.wrap(Study, "stop", _stop)
    wrappers.wrap(Trial, "report", _report)
    for name in SUGGESTIONS:
        wrappers.wrap(Trial, name, _suggest)


@guest.unseen
def _optimize(optimize: Callable[..., Any], study: Any, *args: Any, **kwargs: Any) -> Any:
    search = _search_of(study, arguments(optimize, study, *args, **kwargs), optimize)
    busy = studies().busy
    busy.set(study, (busy.get(study) or 0) + 1)
    try:
        if search is None:
            return optimize(study, *args, **kwargs)
        ours, named = list(args), dict(kwargs)
        if ours:
            ours[0] = search.objective(ours[0])
        else:
            named["func"] = search.objective(named["func"])
        if len(ours) > CALLBACKS:
            ours[CALLBACKS] = search.callbacks(ours[CALLBACKS])
        else:
            named["callbacks"] = search.callbacks(named.get("callbacks"))
        return search.during(optimize, study, *ours, **named)
    finally:
        busy.set(study, (busy.get(study) or 1) - 1)


@guest.harmless
def _search_of(study: Any, named: Mapping[str, Any], optimize: Any) -> Search | None:
    """Return what records a call of `optimize` with these arguments; None where nothing does."""
    options = _options_in(named.get("callbacks"))
    if options is None or "func" not in named or guest.in_fit() or guest.in_search():
        return None
    search = search_of(study, options)
    if not search.session:
        studies().forget_dropped(search)
        return None
    search.enter(study, named, optimize)
    return search


def _options_in(callbacks: Any) -> RunOptions | None:
    """Return the options of callbacks of ours among these, else autolog's; None where neither is there."""
    listed = callbacks if isinstance(callbacks, list | tuple | set | frozenset) else ()
    return RunOptions.wanted(listed, RunloreCallback, autolog=wrapped().is_wanted("autolog"))


@guest.unseen
def _ask(ask: Callable[..., Any], study: Any, *args: Any, **kwargs: Any) -> Any:
    trial = ask(study, *args, **kwargs)
    if wrapped().is_wanted("autolog") and not studies().busy.get(study):
        _note_asked(study, trial)
    return trial


@guest.harmless
def _note_asked(study: Any, trial: Any) -> None:
    if guest.in_fit() or guest.in_search():
        return
    search = asked_search_of(study, RunOptions())
    if search.session:
        search.asked(trial)


@guest.unseen
def _tell(tell: Callable[..., Any], study: Any, *args: Any, **kwargs: Any) -> Any:
    trial = tell(study, *args, **kwargs)
    search = studies().of(study)
    if search is not None and not studies().busy.get(study):
        search.was_told(study, trial)
    return trial


@guest.unseen
def _stop(stop: Callable[..., Any], study: Any, *args: Any, **kwargs: Any) -> Any:
    result = stop(study, *args, **kwargs)
    search = studies().of(study)
    if search is not None:
        search.was_stopped = True
    return result


@guest.unseen
def _report(report: Callable[..., Any], trial: Any, *args: Any, **kwargs: Any) -> Any:
    result = report(trial, *args, **kwargs)
    found = studies().trials.get(trial)
    if found is not None:
        named = {**dict(zip(("value", "step"), args, strict=False)), **kwargs}
        found.reported(named["value"], named["step"])
    return result


@guest.unseen
def _suggest(suggest: Callable[..., Any], trial: Any, name: str, *args: Any, **kwargs: Any) -> Any:
    value = suggest(trial, name, *args, **kwargs)
    found = studies().trials.get(trial)
    if found is not None:
        found.suggested({name: value})
    return value
