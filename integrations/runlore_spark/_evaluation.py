"""Add what evaluators compute of a model's predictions to the run that made the model."""

import re
import weakref
from collections.abc import Mapping
from typing import Any

from runlore import guest
from runlore.guest.additions import Additions
from runlore.guest.wrapping import Written
from runlore_spark._data import print_of, record_data
from runlore_spark._framework import columns_of
from runlore_spark._owners import Prediction, origins, owners
from runlore_spark._search import metric_of

PREDICTION = re.compile("(prediction|probability)Col$", re.I)  # params that name a column which a model has made


def note_prediction(model: Any, dataset: Any, result: Any, written: Written) -> None:
    """Note the columns that a model adds to a DataFrame; `written` is that in the user's call."""
    run, file = origins().run_of(model), origins().file_of(model)
    if (run is None and file is None) or guest.in_fit():
        return
    added = set(columns_of(result).values()) - set(columns_of(dataset).values())
    trained_on = owners().trained_on.get(model)
    owners().note(added, Prediction(run, file, weakref.ref(dataset), print_of(dataset), trained_on, written))


def record_evaluation(evaluator: Any, given: Mapping[Any, Any], predictions: Any, value: Any) -> None:
    """Add a metric to the run of the model that has made the column which an evaluator reads."""
    if not owners() or guest.in_fit() or not isinstance(value, int | float):
        return
    columns = columns_of(predictions)
    found = owners().prediction(columns, _columns_read(evaluator, given) or columns)
    if found is None:
        return
    additions = Additions(found.run) if found.run is not None else None
    if additions is None and found.file is not None:
        additions = Additions.to_writer_of(found.file)
    if additions is not None:
        _add(additions, found, metric_of(evaluator, given), value)
        additions.close()


def _add(additions: Additions, found: Prediction, metric: str, value: float) -> None:
    if found.print == found.trained_on:
        additions.metrics({metric: value}, split="train")
        return
    dataset = found.dataset()
    parts, prints = {"test": found if dataset is None else dataset}, {"test": found.print}
    named = additions.evaluated_on("test", parts, found={}, prints=prints, written=found.written)
    if named.is_new and dataset is not None:
        record_data(additions, named.name_of("test"), dataset)
    additions.metrics({f"{metric}{named.ending}": value}, split="test")


def _columns_read(evaluator: Any, given: Mapping[Any, Any]) -> list[str] | None:
    """Return the names of the columns of predictions that an evaluator reads; None where it does not tell them."""
    read = [param for param in getattr(evaluator, "params", ()) if PREDICTION.search(param.name)]
    values = [given.get(param) or (evaluator.isDefined(param) and evaluator.getOrDefault(param)) for param in read]
    return [str(value) for value in values if value] or None
