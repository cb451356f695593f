"""Points: what xgboost tells at an iteration, and what the features of a trained booster weigh."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runlore import FitSession
from runlore.guest.sets import numbered

IMPORTANCES = ("weight", "gain", "cover")  # the totals are products of these


class Curves:
    """The numbers that grow with each iteration: one list for each set and metric, which sets of one name share."""

    def __init__(self) -> None:
        self._lists: list[tuple[str, list[Any], int]] = []  # by key, with their sets; xgboost appends to the very lists
        self._shared: list[tuple[str, str, list[Any], int]] = []  # those of several sets, by set and metric
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._lists)

    def newest(self, evals_log: Mapping[str, Mapping[str, list[Any]]]) -> dict[str, float]:
        """Return the newest numbers by set and metric; of a cross-validation means and standard deviations.

        The second set of a name is called as `guest.sets.numbered` does.
        """
        self._count += 1
        if len(self._lists) != sum(map(len, evals_log.values())):
            told = [(name, *item) for name, metrics in evals_log.items() for item in metrics.items()]
            counted = [(name, metric, values, len(values) // self._count) for name, metric, values in told]
            self._lists = [(f"{name}/{metric}", values, sets) for name, metric, values, sets in counted]
            self._shared = [item for item in counted if item[3] > 1]
        if self._lists and isinstance(self._lists[0][1][-1], tuple):
            pairs = [(key, *values[-1]) for key, values, _ in self._lists]
            return {f"{key}-mean": mean for key, mean, _ in pairs} | {f"{key}-std": std for key, _, std in pairs}
        numbers = {key: values[-sets] for key, values, sets in self._lists}
        for name, metric, values, sets in self._shared:
            for called, value in zip(numbered([name] * sets), values[-sets:], strict=True):
                numbers[f"{called}/{metric}"] = value
        return numbers


def parsed(line: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers in the line that a booster evaluates to, by set and metric."""
    for part in line.split("\t")[1:]:
        key, _, value = part.rpartition(":")
        name, _, metric = key.partition("-")
        yield f"{name}/{metric}", float(value)


def rate_of(booster: Any) -> dict[str, float]:
    """Return the learning rate that a booster has, which only its configuration tells."""
    settings = [json.loads(booster.save_config())["learner"]["gradient_booster"]]
    for found in settings:  # some kinds of boosters have another one in them
        if "eta" in found:
            return {"learning_rate": float(found["eta"])}
        settings += [part for part in found.values() if isinstance(part, dict)]
    return {}


def record_importances(session: FitSession, booster: Any) -> None:
    """Keep how much each feature was used, as a table; xgboost leaves out those that were not."""
    kinds = IMPORTANCES if "gain" in (found := _scores(booster)) else tuple(found)
    names = list(found["weight"])
    columns = {kind: [found[kind].get(name) for name in names] for kind in kinds}
    if names:
        session.table("feature_importance", {"feature": names, **columns})


def _scores(booster: Any) -> dict[str, Mapping[str, Any]]:
    found = {"weight": booster.get_score(importance_type="weight")}
    try:
        return found | {kind: booster.get_score(importance_type=kind) for kind in IMPORTANCES[1:]}
    except ValueError:  # XGBoostError: a linear booster has no others
        return found
