"""Describe DataFrames by what is known without a job: names and types of their columns, and the plan."""

from typing import Any

from runlore.guest.recorder import Recorder
from runlore_spark._framework import plan_of

MAX_PLAN = 20_000  # characters


def record_data(recorder: Recorder, name: str, dataset: Any) -> None:
    """Describe a DataFrame under a name. None of its rows is read."""
    fields = dataset.schema.fields
    facts = {"kind": "pyspark.DataFrame", "columns": [field.name for field in fields]}
    facts["dtypes"] = [field.dataType.simpleString() for field in fields]
    plan = plan_of(dataset)
    if plan is not None:
        facts["plan"] = plan if len(plan) <= MAX_PLAN else plan[:MAX_PLAN] + " …"
    recorder.data(name, **facts)


def print_of(dataset: Any) -> str:
    """Return what tells a DataFrame from others: a hash of its plan, equal for equal plans on the same data."""
    return f"plan {dataset.semanticHash()}"
