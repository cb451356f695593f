"""What is evaluated, saved and read after a fit goes to the run of the model."""

from pathlib import Path
from typing import Any

import pytest

from runlore import Store

pytest.importorskip("pyspark")


@pytest.fixture
def evaluate(spark: Any) -> Any:
    from pyspark.ml.evaluation import BinaryClassificationEvaluator

    return BinaryClassificationEvaluator().evaluate


def test_evaluations_are_told_by_their_sets(autologged: Store, spark: Any, models: Any, evaluate: Any) -> None:
    train, held_out, noisy = models.rows(spark), models.rows(spark, 20, 3), models.rows(spark, 20, 4)
    model = models.pipeline().fit(train)
    values = [evaluate(model.transform(data)) for data in (train, held_out)]
    values.append(evaluate(model.transform(noisy)))
    run = models.only(autologged)
    keys = ("areaUnderROC", "test/areaUnderROC", "test/areaUnderROC/noisy")
    assert [run.metrics[key].last for key in keys] == values
    assert [run.metrics[key].split for key in keys[:2]] == ["train", "test"]
    assert run.data["test/noisy"]["columns"] == ["a", "b", "label"]
    evaluate(model.transform(held_out))
    assert models.only(autologged).metrics["test/areaUnderROC"].count == 2


def test_a_metric_is_found_by_the_column_that_is_read(autologged: Store, spark: Any, models: Any) -> None:
    """Behind `select`, `filter` and a join with the predictions of another model."""
    from pyspark.ml.evaluation import MulticlassClassificationEvaluator

    one = models.regression(predictionCol="one", rawPredictionCol="r", probabilityCol="p")
    two = models.regression(predictionCol="two", rawPredictionCol="s", probabilityCol="q", regParam=0.5)
    data = models.features(spark)
    first, second = one.fit(data), two.fit(data)
    both = second.transform(first.transform(models.features(spark, 20, 3)))
    evaluator = MulticlassClassificationEvaluator(predictionCol="one")
    value = evaluator.evaluate(both.filter("a > 2").select("label", "two", "one"), {evaluator.metricName: "accuracy"})
    of_two, of_one = autologged.runs()
    assert of_one.metrics["test/accuracy"].last == value
    assert "test/accuracy" not in of_two.metrics


def test_an_evaluation_of_foreign_predictions_adds_nothing(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml.evaluation import RegressionEvaluator

    model = models.pipeline().fit(models.rows(spark))
    RegressionEvaluator(predictionCol="a").evaluate(model.transform(models.rows(spark, 20, 3)))
    assert "test/rmse" not in models.only(autologged).metrics


def test_an_evaluator_of_the_users_own_is_named_by_its_class(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml.evaluation import Evaluator

    class Rows(Evaluator):  # type: ignore[misc,unused-ignore]
        def _evaluate(self, dataset: Any) -> float:
            return float(dataset.count())

    model = models.pipeline().fit(models.rows(spark))
    Rows().evaluate(model.transform(models.rows(spark, 20, 3)))
    assert models.only(autologged).metrics["test/Rows"].last == 20


@pytest.mark.shows("spark", "checkpoints")
@pytest.mark.parametrize("scheme", ["", "file://", "file:"])
def test_a_saved_model_is_an_artifact_and_leads_back(
    autologged: Store, spark: Any, models: Any, evaluate: Any, folder: Path, scheme: str
) -> None:
    from pyspark.ml import PipelineModel

    model = models.pipeline().fit(models.rows(spark))
    model.write().overwrite().save(f"{scheme}{folder}")
    run = models.only(autologged)
    assert [(item.path, item.kind) for item in run.artifacts if item.kind == "model"] == [(str(folder), "model")]
    value = evaluate(PipelineModel.load(f"{scheme}{folder}").transform(models.rows(spark, 20, 3)))
    assert models.only(autologged).metrics["test/areaUnderROC"].last == value


def test_the_best_model_of_a_search_is_of_its_run(
    autologged: Store, spark: Any, models: Any, evaluate: Any, folder: Path
) -> None:
    estimator = models.regression()
    found = models.search(estimator, estimator.regParam).fit(models.features(spark))
    found.bestModel.save(str(folder))
    evaluate(found.bestModel.transform(models.features(spark, 20, 3)))
    (run,) = autologged.runs("parent is None")
    assert [item.path for item in run.artifacts if item.kind == "model"] == [str(folder)]
    assert "test/areaUnderROC" in run.metrics


def test_a_pipeline_with_a_stage_in_python_is_one_artifact(
    autologged: Store, spark: Any, models: Any, folder: Path
) -> None:
    """Python saves its stages one by one, each by a writer of its own."""
    from pyspark.ml import Pipeline

    model = Pipeline(stages=[models.assembler(), models.Users(), models.regression()]).fit(models.rows(spark))
    model.save(str(folder))
    assert len(list(folder.glob("stages/*LogisticRegression*"))) == 1
    run = models.only(autologged)
    assert [item.path for item in run.artifacts if item.kind == "model"] == [str(folder)]


def test_a_fit_that_uses_a_loaded_model_is_linked(autologged: Store, spark: Any, models: Any, folder: Path) -> None:
    from pyspark.ml import Pipeline, PipelineModel

    models.pipeline(predictionCol="p", rawPredictionCol="r", probabilityCol="q").fit(models.rows(spark)).save(
        str(folder)
    )
    loaded = PipelineModel.load(str(folder))
    Pipeline(stages=[loaded, models.regression()]).fit(models.rows(spark))
    second, first = autologged.runs()
    assert ("uses", first.id) in [(link["kind"], link["run"]) for link in second.links]


def test_what_could_not_be_saved_is_no_artifact(autologged: Store, spark: Any, models: Any, folder: Path) -> None:
    model = models.pipeline().fit(models.rows(spark))
    model.save(str(folder))
    with pytest.raises(Exception, match="already exists"):
        model.save(str(folder))
    assert [item.kind for item in models.only(autologged).artifacts].count("model") == 1
