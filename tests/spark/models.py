"""Small data and trainings, and what tests ask of Spark."""

import os
import sys
from typing import Any

from pyspark.ml import Estimator, Pipeline, Transformer
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import VectorAssembler
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.ml.util import DefaultParamsWritable
from pyspark.sql import SparkSession

from runlore import Store

SETTINGS = {
    "spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1", "spark.driver.memory": "512m", "spark.ui.showConsoleProgress": "false",
    # all are counted, else Spark forgets the first ones
    "spark.ui.retainedJobs": "100000", "spark.sql.ui.retainedExecutions": "100000",
}  # fmt: skip


def session() -> Any:
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else its workers are of some other Python
    builder = SparkSession.builder.master("local[2]")
    for name, value in SETTINGS.items():
        builder = builder.config(name, value)
    found = builder.getOrCreate()
    found.sparkContext.setLogLevel("OFF")
    return found


def rows(spark: Any, count: int = 40, shift: int = 0) -> Any:
    """Return a table of two features and a label, which Java makes by itself: no worker of Python's is started."""
    columns = ("id", f"(id * 7 + {shift}) % 11", f"(id * 5 + {shift}) % 13 > 5")
    named = zip(columns, ("a", "b", "label"), strict=True)
    return spark.range(0, count, 1, 1).selectExpr(*(f"double({column}) AS {name}" for column, name in named))


def assembler() -> Any:
    return VectorAssembler(inputCols=["a", "b"], outputCol="features")


def features(spark: Any, count: int = 40, shift: int = 0) -> Any:
    return assembler().transform(rows(spark, count, shift))


def regression(**params: Any) -> Any:
    return LogisticRegression(**{"maxIter": 3, "tol": 0.0, "aggregationDepth": 2, **params})


def pipeline(**params: Any) -> Any:
    return Pipeline(stages=[assembler(), regression(**params)])


def search(estimator: Any, *params: Any, kind: Any = CrossValidator, **more: Any) -> Any:
    """Return a search over two values for each param."""
    grid = ParamGridBuilder()
    for param in params:
        grid = grid.addGrid(param, [0.0, 0.5])
    settings = {"evaluator": BinaryClassificationEvaluator(), "seed": 1}
    settings |= {"numFolds": 2} if kind is CrossValidator else {}
    return kind(estimator=estimator, estimatorParamMaps=grid.build(), **{**settings, **more})


class Users(Transformer, DefaultParamsWritable):
    """A stage of a user's own, which acts where a pipeline comes to it."""

    def __init__(self, *actions: Any) -> None:
        super().__init__()
        self.actions = actions

    def _transform(self, dataset: Any) -> Any:
        for action in self.actions:
            action()
        return dataset


class Last(Estimator):
    """An estimator of a user's own, which acts as it is fitted."""

    def __init__(self, action: Any) -> None:
        super().__init__()
        self.action = action

    def _fit(self, dataset: Any) -> Any:
        self.action()
        return Users()


def jobs(spark: Any) -> tuple[int, int]:
    """Return how many jobs and how many queries Spark has been asked for so far."""
    context = spark.sparkContext
    context._jsc.sc().listenerBus().waitUntilEmpty()
    queries = spark._jsparkSession.sharedState().statusStore().executionsCount()
    return len(context.statusTracker().getJobIdsForGroup()), queries


def only(store: Store) -> Any:
    (run,) = store.runs()
    return run
