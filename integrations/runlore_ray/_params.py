"""The settings of an experiment and its trials, and Ray's notions as a record has them."""

from collections.abc import Mapping
from typing import Any

from ray.tune.result import AUTO_RESULT_KEYS, DONE, EXPERIMENT_TAG, SHOULD_CHECKPOINT, TRAINING_ITERATION, TRIAL_ID
from ray.tune.search.sample import Categorical, Domain, Function

from runlore.guest.captured import Captured, defaults_of, marked, named
from runlore.guest.options import settings_of

ARGUMENTS = (  # of `tune.run`, which `Tuner.fit` calls, too
    "num_samples", "metric", "mode", "time_budget_s", "max_concurrent_trials", "max_failures", "fail_fast",
    "reuse_actors",
)  # fmt: skip
OF_RAY = {
    *AUTO_RESULT_KEYS,
    DONE,
    EXPERIMENT_TAG,
    SHOULD_CHECKPOINT,
    TRIAL_ID,
}  # what Ray adds to a result


def params_of(given: Mapping[str, Any], run: Any, parts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a call of `tune.run` was given; `parts` are those in use that decide on trials."""
    found = marked({name: given[name] for name in ARGUMENTS if name in given}, defaults_of(run)) if given else {}
    criteria = given.get("stop")
    found |= {"stop": dict(criteria)} if isinstance(criteria, Mapping) else {}
    space = given.get("config")
    found |= {"param_space": space_of(space)} if isinstance(space, Mapping) else {}
    return found | {key: Captured(name_of(part)) for key, part in parts.items()} | settings_of(parts.values())


def space_of(space: Mapping[str, Any]) -> dict[str, Any]:
    """Return what params are drawn from, each as Tune writes it: `Float(0.001, 0.1)`."""
    return {
        str(name): _domain_of(item)
        if isinstance(item, Domain)
        else space_of(item)
        if isinstance(item, Mapping)
        else item
        for name, item in space.items()
    }


def _domain_of(domain: Domain) -> str:
    """Return a domain as Tune writes it, functions and objects in it by their names: their addresses say nothing."""
    if isinstance(domain, Function):
        return f"Function({named(domain.func)})"
    if isinstance(domain, Categorical):
        return f"Categorical{[named(item) if ' at 0x' in repr(item) else item for item in domain.categories]}"
    return f"{type(domain).__name__}{domain.domain_str}"


def name_of(part: Any) -> str:
    """Return the class of a part of an experiment, without what Tune puts around a searcher."""
    return type(getattr(part, "searcher", part)).__name__


def metrics_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the user's own code has reported."""
    return {str(name): value for name, value in result.items() if name not in OF_RAY and not str(name).startswith("__")}


def iteration_of(result: Any) -> int:
    """Return the training iteration of a result, 0 before the first."""
    return int((result or {}).get(TRAINING_ITERATION) or 0)
