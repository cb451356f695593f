"""A pipeline of pyspark.ml that is tuned by cross-validation: no tracking code, and no job more than without.

Run it, then look: `runlore ls --all`, `runlore show NAME`, `runlore which-run FOLDER`. It needs Java.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyspark.ml import Pipeline
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.evaluation import BinaryClassificationEvaluator
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.ml.tuning import CrossValidator, ParamGridBuilder
from pyspark.sql import SparkSession

import runlore

COLUMNS = (
    "double(id * 7 % 31) AS width",
    "double(id * 5 % 23) AS height",
    "double(id * 7 % 31 + id % 13 > 20) AS label",
)


def started() -> Any:
    """Return Spark on two threads of this machine."""
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    spark = builder.config("spark.sql.shuffle.partitions", "2").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def main() -> None:
    runlore.autolog("spark")
    spark = started()
    train, test = spark.range(0, 400, 1, 1).selectExpr(*COLUMNS).randomSplit([0.75, 0.25], seed=0)
    stages = [
        VectorAssembler(inputCols=["width", "height"], outputCol="raw"),
        StandardScaler(inputCol="raw", outputCol="features"),
        LogisticRegression(maxIter=5),
    ]
    evaluator = BinaryClassificationEvaluator()
    search = CrossValidator(
        estimator=Pipeline(stages=stages),
        estimatorParamMaps=ParamGridBuilder().addGrid(stages[-1].regParam, [0.0, 0.1, 1.0]).build(),
        evaluator=evaluator, numFolds=2, parallelism=2, seed=0,
    )  # fmt: skip
    model = search.fit(train)
    print(f"area under ROC {max(model.avgMetrics):.3f} in the search")
    print(f"area under ROC {evaluator.evaluate(model.transform(test)):.3f} on held-out rows")
    with TemporaryDirectory() as folder:
        model.bestModel.save(str(Path(folder, "model")))
    spark.stop()


if __name__ == "__main__":
    main()
