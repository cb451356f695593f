"""Spark fulfils the contract of integrations: a pipeline with a stage of the user's own."""

from typing import Any

import pytest

from runlore.testing import IntegrationContract, Training

pytest.importorskip("pyspark")


@pytest.mark.usefixtures("java")
@pytest.mark.shows("spark", "processes")
class TestPipeline(IntegrationContract):
    integration = "spark"
    metric = "LogisticRegression.objectiveHistory"
    param = ("LogisticRegression.maxIter", 4)
    steps = 5
    first_step = 0  # the initial state
    hows = ("autolog",)
    has_checkpoints = False
    warm = ("pyspark.ml",)

    def make(self, training: Training) -> Any:
        from pyspark.ml import Pipeline

        from tests.spark.models import assembler, regression, session

        session()  # also in a process of its own
        return Pipeline(stages=[assembler(), regression(maxIter=4)])

    def fit(self, trainer: Any, training: Training) -> Any:
        from tests.spark.models import Last, Users, rows, session

        *_, regression = own = [stage for stage in trainer.getStages() if type(stage) not in (Users, Last)]
        regression.setMaxIter(8 if training.longer else 4)
        trainer.setStages([Users(training.early), *own, Last(training.midway)])
        model = trainer.fit(rows(session())).stages[-2]
        curve = list(model.summary.objectiveHistory)
        for step, value in enumerate(curve):
            training.point(step, value)
        return model.coefficients.toArray().tolist(), model.intercept, curve
