"""Points: what lightgbm tells at an iteration, and what the features of a trained booster weigh."""

from collections.abc import Sequence
from typing import Any

from runlore import FitSession


def numbers_of(results: Sequence[Any] | None) -> dict[str, float]:
    """Return results by set and metric; of a cross-validation means and standard deviations.

    The second set of a name is called as `guest.sets.numbered` does.
    """
    found: dict[str, float] = {}
    for item in results or ():
        name, metric, value, deviation = _parts_of(item)
        key, place = f"{name}/{metric}", 0
        while key in found:
            place += 1
            key = f"{name}_{place}/{metric}"
        if deviation is None:
            found[key] = value
        else:
            found[f"{key}-mean"], found[f"{key}-stdv"] = value, deviation
    return found


def _parts_of(result: Any) -> tuple[str, str, float, float | None]:
    if hasattr(result, "metric_value"):
        return result.dataset_name, result.metric_name, result.metric_value, result.metric_std_dev
    return result[0], result[1], result[2], result[4] if len(result) > 4 else None  # a tuple, before 4.7


def record_importances(session: FitSession, booster: Any) -> None:
    """Keep how much each feature that was used weighs, as a table."""
    split = booster.feature_importance("split").tolist()
    rows = list(zip(booster.feature_name(), split, booster.feature_importance("gain").tolist(), strict=True))
    used = [row for row in rows if row[1]]
    if used:
        feature, split, gain = zip(*used, strict=True)
        session.table("feature_importance", {"feature": feature, "split": split, "gain": gain})
