"""The settings of a study and a trial, and Optuna's notions as a record has them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState

from runlore.guest.captured import Captured, defaults_of, marked
from runlore.guest.options import settings_of
from runlore_optuna._framework import storage_of

ARGUMENTS = ("n_trials", "timeout", "n_jobs", "gc_after_trial")  # of `optimize`
OUTCOMES = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


def params_of(study: Any, named: Mapping[str, Any], optimize: Any) -> dict[str, Any]:
    """Return what a call of `optimize` was given, and what its study was made of."""
    given = {name: named[name] for name in ARGUMENTS if name in named}
    if "catch" in named:
        caught = named["catch"] if isinstance(named["catch"], tuple) else (named["catch"],)
        given["catch"] = tuple(getattr(kind, "__name__", str(kind)) for kind in caught)
    found = marked(given, defaults_of(optimize)) if given else {}
    facts = {
        "study_name": study.study_name,
        "directions": [direction.name.lower() for direction in study.directions],
        "sampler": type(study.sampler).__name__,
        "pruner": type(study.pruner).__name__,
        "storage": type(storage_of(study)).__name__,
    }
    if study.metric_names is not None:
        facts["metric_names"] = list(study.metric_names)
    made_of = list(_with_inner([study.sampler, study.pruner]))
    settings = settings_of(made_of)
    for item in made_of:
        parts = _parts_of(item)
        if parts:
            name = type(item).__name__
            settings[name] = settings.get(name, {}) | parts
    return found | {name: Captured(value) for name, value in facts.items()} | settings


def _with_inner(items: Iterable[Any]) -> Iterator[Any]:
    """Yield samplers and pruners, each before those that it was given to hand on to."""
    for item in items:
        yield item
        yield from _with_inner(_given(item, BaseSampler | BasePruner).values())


def _parts_of(item: Any) -> dict[str, Any]:
    """Return what a sampler or pruner was given by name: those that it hands on to, spaces, fixed params."""
    found: dict[str, Any] = {
        name: Captured(type(part).__name__) for name, part in _given(item, BaseSampler | BasePruner).items()
    }
    for name, space in _given(item, Mapping).items():
        found[name] = {
            str(key): list(value) if isinstance(value, list | tuple) else value for key, value in space.items()
        }
    return found


def _given(item: Any, kind: Any) -> dict[str, Any]:
    """Return what of a kind an object keeps under the names of its arguments."""
    known = {name.removeprefix("_"): value for name, value in vars(item).items() if isinstance(value, kind)}
    return {name: known[name] for name in defaults_of(type(item)) if name in known}


def names_of_values(study: Any) -> list[str]:
    """Return the names of a study's objectives: the user's, else `value`, or `value_0` and so on of several."""
    if study.metric_names is not None:
        return [str(name) for name in study.metric_names]
    count = len(study.directions)
    return ["value"] if count == 1 else [f"value_{place}" for place in range(count)]


def distributions_of(distributions: Mapping[str, Any]) -> dict[str, Any]:
    """Return the distributions of params by their names, as Optuna writes them."""
    return {f"distributions.{name}": Captured(repr(value)) for name, value in distributions.items()}


def attributes_of(holder: Any) -> dict[str, Any]:
    """Return the user attributes of a study or a trial as tags."""
    return {f"user_attrs.{name}": value for name, value in holder.user_attrs.items()}


def origin_of(trial: FrozenTrial) -> dict[str, Any]:
    """Return as a tag that somebody has enqueued a trial with params."""
    return {"enqueued": True} if trial.system_attrs.get("fixed_params") else {}


def begun(study: Any) -> list[FrozenTrial]:
    """Return the trials of a study that were begun, by whatever process, be it one that has died."""
    return list(study.get_trials(deepcopy=False, states=(*OUTCOMES, TrialState.RUNNING)))


def constraints_of(trial: FrozenTrial) -> dict[str, float]:
    """Return the values of a trial's constraints by name; before Optuna 5 it tells none."""
    return {f"constraint.{name}": value for name, value in getattr(trial, "constraints", {}).items()}


def is_over(trial: FrozenTrial) -> bool:
    """Return True for a trial that has been told."""
    return trial.state in OUTCOMES
