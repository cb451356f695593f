"""Numbers of a training that its model holds already: most of what a summary offers would start a job.

Accuracy, errors and the like are computed from all rows when they are asked for, so nobody asks for them here.
"""

from collections.abc import Iterator
from typing import Any

from runlore import FitSession

CURVE = "objectiveHistory"
SUMMARY = ("totalIterations", "numIterations", "numIter", "trainingCost", "logLikelihood")  # of trainings
MODEL = ("numFeatures", "numClasses", "getNumTrees", "totalNumNodes", "numNodes", "depth")


def record_numbers(session: FitSession, model: Any, prefix: str) -> None:
    """Record the curve of a model's training and its numbers, by names that begin with a prefix."""
    kind = type(model)
    facts = {name: _called(getattr(model, name)) for name in MODEL if hasattr(kind, name)}
    if getattr(model, "hasSummary", False):
        summary = _called(model.summary)
        kind = type(summary)
        facts |= {name: getattr(summary, name) for name in SUMMARY if hasattr(kind, name)}
        curve = getattr(summary, CURVE) if hasattr(kind, CURVE) else ()
        for step, value in enumerate(curve if facts.get("totalIterations") else ()):  # else it is a mere 0
            session.metrics({prefix + CURVE: value}, step=step)
    if facts:
        session.summary({prefix + name.removeprefix("get"): value for name, value in facts.items()})


def models_in(model: Any) -> Iterator[Any]:
    """Yield a fitted model and the models that it holds: the best one of a search, the stages of a pipeline."""
    yield model
    held = vars(model)
    for part in (held.get("bestModel"), *(held.get("stages") or ())):
        if part is not None and hasattr(part, "__dict__"):
            yield from models_in(part)


def _called(value: Any) -> Any:
    """Return what is a property of some of Spark's models, and a method of others."""
    return value() if callable(value) else value
