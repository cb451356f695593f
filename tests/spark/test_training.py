"""A fit of an estimator or a pipeline is a run, and Spark does nothing more for it than it would have done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store

pytest.importorskip("pyspark")


@pytest.mark.shows("spark", "params", "metrics", "data")
def test_a_fit_is_a_run_with_params_curve_and_schema(autologged: Store, spark: Any, models: Any) -> None:
    estimator = models.regression(regParam=0.25)
    model = estimator.fit(models.features(spark))
    run = models.only(autologged)
    assert (run.status, run.tags["estimator"]) == ("finished", "LogisticRegression")
    explained = dict(line.split(": ", 1) for line in estimator.explainParams().splitlines())
    told = {name for name, text in explained.items() if "undefined" not in text}
    assert set(run.params) == told
    assert (run.params["regParam"], run.params["family"]) == (0.25, "auto")
    curve = run.metrics["objectiveHistory"]
    assert (curve.steps.tolist(), curve.values.tolist()) == ([0, 1, 2, 3], list(model.summary.objectiveHistory))
    assert run.summary == {"totalIterations": 3, "numFeatures": 2, "numClasses": 2}
    assert run.data["train"]["columns"] == ["a", "b", "label", "features"]
    assert run.data["train"]["dtypes"] == ["double", "double", "double", "vector"]
    assert "Project [a, b, label, " in run.data["train"]["plan"]
    assert "#" not in run.data["train"]["plan"]


def test_what_was_passed_is_told_from_defaults(autologged: Store, spark: Any, models: Any) -> None:
    estimator = models.regression()
    estimator.fit(models.features(spark), {estimator.maxIter: 2})
    run = models.only(autologged)
    assert run.params["maxIter"] == 2
    assert "maxIter" not in run.captured
    assert "standardization" in run.captured


def test_a_pipeline_is_one_run_with_params_by_stage(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StandardScaler

    scalers = [StandardScaler(inputCol="features", outputCol="x"), StandardScaler(inputCol="x", outputCol="y")]
    stages = [models.assembler(), *scalers, models.regression(featuresCol="y")]
    Pipeline(stages=stages).fit(models.rows(spark))
    run = models.only(autologged)
    assert run.params["stages"] == ["VectorAssembler", "StandardScaler", "StandardScaler_1", "LogisticRegression"]
    assert [run.params[f"{name}.outputCol"] for name in ("StandardScaler", "StandardScaler_1")] == ["x", "y"]
    assert run.params["LogisticRegression.maxIter"] == 3
    assert run.metrics["LogisticRegression.objectiveHistory"].count == 4


def test_what_only_prepares_data_makes_no_run(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StandardScaler

    scaler = StandardScaler(inputCol="features", outputCol="scaled")
    scaler.fit(models.features(spark))
    Pipeline(stages=[models.assembler(), scaler]).fit(models.rows(spark))
    assert not autologged.runs()


def test_numbers_of_summaries_that_need_no_job(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml.classification import LinearSVC
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.regression import LinearRegression

    model = KMeans(k=2, seed=1).fit(models.features(spark))
    LinearSVC(maxIter=2).fit(models.features(spark))
    LinearRegression().fit(models.features(spark))  # solved at once: it has no curve
    linear, support, clusters = autologged.runs()
    assert clusters.summary["trainingCost"] == model.summary.trainingCost
    assert clusters.summary["numIter"] == model.summary.numIter
    assert support.metrics["objectiveHistory"].count == support.summary["totalIterations"] + 1
    assert linear.summary["totalIterations"] == 0
    assert not [name for name in linear.metrics if not name.startswith("system/")]


def test_several_param_maps_are_a_tree(autologged: Store, spark: Any, models: Any) -> None:
    estimator = models.regression()
    maps = [{estimator.regParam: value} for value in (0.1, 0.2)]
    found = estimator.fit(models.features(spark), maps)
    (parent,) = autologged.runs("parent is None")
    assert [child.params["regParam"] for child in parent.children] == [0.1, 0.2]
    curves = [child.metrics["objectiveHistory"].values.tolist() for child in parent.children]
    assert curves == [list(model.summary.objectiveHistory) for model in found]
    assert all(not child.links for child in parent.children)


def test_one_against_the_rest_is_one_run(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml.classification import OneVsRest

    OneVsRest(classifier=models.regression(), parallelism=2).fit(models.features(spark))
    run = models.only(autologged)
    assert (run.params["classifier"], run.params["LogisticRegression.maxIter"]) == ("LogisticRegression", 3)


def test_a_second_fit_is_linked_to_the_first(autologged: Store, spark: Any, models: Any) -> None:
    estimator = models.regression()
    for _ in range(2):
        estimator.fit(models.features(spark))
    second, first = autologged.runs()
    assert [(link["kind"], link["run"]) for link in second.links] == [("refit_of", first.id)]


def test_a_fit_on_what_another_fit_made_is_linked(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml import Pipeline

    first = models.pipeline().fit(models.rows(spark))
    fitted = first.stages[1].setPredictionCol("p").setProbabilityCol("q").setRawPredictionCol("r")
    stages = [first.stages[0], fitted, models.regression()]
    Pipeline(stages=stages).fit(models.rows(spark))
    second, before = autologged.runs()
    assert [(link["kind"], link["run"]) for link in second.links] == [("uses", before.id)]


def test_a_stage_that_two_pipelines_share_links_nothing(autologged: Store, spark: Any, models: Any) -> None:
    from pyspark.ml import Pipeline

    shared = models.assembler()
    for value in (0.0, 0.5):
        Pipeline(stages=[shared, models.regression(regParam=value)]).fit(models.rows(spark))
    assert [run.links for run in autologged.runs()] == [[], []]


@pytest.mark.parametrize("what", ["executor", "column", "params"])
def test_a_fit_that_fails_is_a_failed_run(autologged: Store, spark: Any, models: Any, what: str) -> None:
    """The exception is the one without us."""
    from pyspark.sql.functions import udf

    def fail(value: float) -> float:
        raise ValueError(f"no {value}")

    def fit() -> Any:
        estimator = models.regression()
        data = models.features(spark)
        if what == "executor":
            return estimator.fit(data.withColumn("label", udf(fail, "double")("label")))
        return estimator.fit(models.rows(spark) if what == "column" else data, {estimator.maxIter: "many"})

    with pytest.raises(Exception) as recorded:
        fit()
    run = models.only(autologged)
    assert (run.status, run.error["type"].rpartition(".")[2]) == ("failed", type(recorded.value).__name__)
    with runlore.autolog("spark") as switched:
        switched.disable()
        with pytest.raises(Exception) as plain:
            fit()
    assert type(plain.value) is type(recorded.value)
    assert [item.name for item in recorded.traceback][2:] == [item.name for item in plain.traceback][2:]
    assert what != "executor" or "ValueError: no 0.0" in str(recorded.value)


def test_spark_is_asked_for_nothing_more(store: Store, spark: Any, models: Any, folder: Path) -> None:
    """Not one job or query, in fits, searches, evaluations, saves: and all results are the same to the last bit."""

    def everything(path: Path) -> tuple[Any, tuple[int, ...]]:
        before = models.jobs(spark)
        results = list(trainings(spark, models, path))
        return results, tuple(now - then for now, then in zip(models.jobs(spark), before, strict=True))

    bare = everything(folder / "bare")
    with runlore.autolog("spark"):
        recorded = everything(folder / "recorded")
    assert recorded == bare
    assert bare[1][0] > 20
    assert len(store.runs("parent is None")) == 4


def trainings(spark: Any, models: Any, path: Path) -> Any:
    """Yield what is seen of all kinds of trainings."""
    from pyspark.ml import PipelineModel
    from pyspark.ml.clustering import KMeans
    from pyspark.ml.evaluation import BinaryClassificationEvaluator
    from pyspark.ml.regression import GeneralizedLinearRegression

    evaluate: Callable[..., float] = BinaryClassificationEvaluator().evaluate
    train, test = models.rows(spark), models.rows(spark, 20, 3)
    model = models.pipeline().fit(train)
    yield model.stages[-1].coefficients.toArray().tolist(), model.stages[-1].intercept
    yield evaluate(model.transform(test)), evaluate(model.transform(train))
    model.save(str(path))
    yield evaluate(PipelineModel.load(str(path)).transform(test))
    features = models.features(spark)
    yield [center.tolist() for center in KMeans(k=2, seed=1).fit(features).clusterCenters()]
    yield GeneralizedLinearRegression(maxIter=2).fit(features).coefficients.toArray().tolist()
    estimator = models.regression()
    found = models.search(estimator, estimator.regParam, parallelism=2).fit(features)
    yield list(map(float, found.avgMetrics)), found.bestModel.coefficients.toArray().tolist()
