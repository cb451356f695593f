"""Searches are trees: a run, with a child for each candidate."""

from typing import Any

import pytest

from runlore import Store

pytest.importorskip("pyspark")


@pytest.mark.shows("spark", "search trees")
@pytest.mark.parametrize("parallelism", [1, 2])
def test_a_cross_validation_is_a_tree(autologged: Store, spark: Any, models: Any, parallelism: int) -> None:
    """One stage of the pipeline is tuned, in threads."""
    pipeline = models.pipeline()
    tuned = pipeline.getStages()[-1].regParam
    search = models.search(pipeline, tuned, parallelism=parallelism, collectSubModels=True)
    model = search.fit(models.rows(spark))
    (parent,) = autologged.runs("parent is None")
    assert (parent.params["estimator"], parent.params["evaluator"]) == ("Pipeline", "BinaryClassificationEvaluator")
    assert (parent.params["numFolds"], parent.params["LogisticRegression.maxIter"]) == (2, 3)
    children = parent.children
    assert [child.params["LogisticRegression.regParam"] for child in children] == [0.0, 0.5]
    for place, child in enumerate(children):
        assert child.metrics["avg_areaUnderROC"].last == model.avgMetrics[place]
        assert child.metrics["std_areaUnderROC"].last == model.stdMetrics[place]
        folds = child.metrics["areaUnderROC"]
        assert (folds.count, folds.values.mean()) == (2, pytest.approx(model.avgMetrics[place]))
        assert child.duration
    best = max(range(2), key=lambda place: model.avgMetrics[place])
    assert ["best" in child.tags for child in children] == [place == best for place in range(2)]
    assert parent.params["best.LogisticRegression.regParam"] == [0.0, 0.5][best]
    assert parent.metrics["best_areaUnderROC"].last == model.avgMetrics[best]
    curve = model.bestModel.stages[-1].summary.objectiveHistory
    assert parent.metrics["LogisticRegression.objectiveHistory"].values.tolist() == list(curve)
    assert len(autologged.runs()) == 3


def test_a_train_validation_split_is_a_tree(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml.evaluation import MulticlassClassificationEvaluator
    from pyspark.ml.tuning import TrainValidationSplit

    estimator = models.regression()
    evaluator = MulticlassClassificationEvaluator(metricName="logLoss")  # the smaller, the better
    kinds = {"kind": TrainValidationSplit, "evaluator": evaluator}
    model = models.search(estimator, estimator.regParam, estimator.elasticNetParam, **kinds).fit(models.features(spark))
    (parent,) = autologged.runs("parent is None")
    assert [child.metrics["logLoss"].last for child in parent.children] == list(model.validationMetrics)
    assert parent.metrics["best_logLoss"].last == min(model.validationMetrics)
    assert parent.children[3].params == {"LogisticRegression.regParam": 0.5, "LogisticRegression.elasticNetParam": 0.5}


def test_a_search_within_a_pipeline_and_with_a_pipeline_of_many_models_is_one_tree(
    autologged: Store, spark: Any, models: Any
) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.classification import OneVsRest
    from pyspark.ml.evaluation import MulticlassClassificationEvaluator

    inner = models.regression()
    many = OneVsRest(classifier=inner, parallelism=2)
    search = models.search(many, inner.regParam, evaluator=MulticlassClassificationEvaluator(), parallelism=2)
    Pipeline(stages=[models.assembler(), search]).fit(models.rows(spark))
    (parent,) = autologged.runs("parent is None")
    assert parent.tags["estimator"] == "Pipeline"
    assert [child.params for child in parent.children] == [
        {"LogisticRegression.regParam": value} for value in (0.0, 0.5)
    ]
    assert len(autologged.runs()) == 3


def test_a_search_that_fails_keeps_what_it_has_found(autologged: Store, spark: Any, models: Any) -> None:
    """The second candidate can't be fitted, which ends the search."""
    estimator = models.regression()
    search = models.search(estimator)
    search.setEstimatorParamMaps([{estimator.regParam: 0.0}, {estimator.featuresCol: "nowhere"}])
    with pytest.raises(Exception, match="nowhere"):
        search.fit(models.features(spark))
    (parent,) = autologged.runs("parent is None")
    assert parent.status == "failed"
    (child,) = parent.children
    assert (child.status, child.metrics["areaUnderROC"].count) == ("failed", 1)


def test_two_searches_in_two_threads_are_two_trees(autologged: Store, spark: Any, models: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def fit(value: float) -> None:
        estimator = models.regression(elasticNetParam=value)
        models.search(estimator, estimator.regParam, parallelism=2).fit(models.features(spark))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(fit, [0.25, 0.75]))
    parents = autologged.runs("parent is None")
    assert {parent.params["LogisticRegression.elasticNetParam"] for parent in parents} == {0.25, 0.75}
    assert [len(parent.children) for parent in parents] == [2, 2]
    assert len(autologged.runs()) == 6
