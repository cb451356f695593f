"""A score on other data is added to the run that fitted the estimator."""

from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import RFECV
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from runlore import FitSession, Store, start_run
from runlore.guest import unrecorded
from tests.sklearn.models import X, Y


def test_a_score_on_other_data_belongs_to_the_run_that_fitted(autologged: Store) -> None:
    features, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features[:400], target[:400])
    other = RandomForestClassifier(n_estimators=5, random_state=0).fit(features[:400], target[:400])
    score = model.score(features[400:], target[400:])
    model.score(features[500:], target[500:])
    other.score(features[400:], target[400:])
    run = autologged.runs("tags.estimator == 'Pipeline'")[0]
    assert run.metrics["test_score"].values.tolist() == [score]
    assert run.metrics["test_score"].split == "test"
    assert autologged.runs("tags.estimator == 'RandomForestClassifier'")[0].metrics["test_score"].count == 1
    assert len(autologged.runs()) == 2


def test_scores_of_a_permutation_importance_are_not_the_models(autologged: Store) -> None:
    """What scikit-learn scores on shuffled data counted as the model's score."""
    features, target = load_breast_cancer(return_X_y=True)
    model = DecisionTreeClassifier(random_state=0).fit(features[::2], target[::2])
    permutation_importance(model, features[1::2], target[1::2], n_repeats=3, random_state=0)
    assert autologged.runs()[0].metrics["test_score"].count == 1


def test_many_scores_cost_one_file(autologged: Store) -> None:
    """Each score made a file of its own in the store."""
    model = DummyClassifier().fit(X, Y)
    for place in range(50):
        model.score(X[place:], Y[place:])
    (run,) = autologged.runs()
    counts = {key: series.count for key, series in run.metrics.items() if key.startswith("test_score")}
    assert counts.pop("test_score/test_more") == 29
    assert list(counts.values()) == [1] * 20, "the first one is of the training data"
    assert len([path for path in autologged.root.rglob("*") if path.suffix in (".log", ".run")]) == 2
    assert len([name for name in run.data if name.startswith("test")]) == 20


def test_a_second_set_has_a_name_of_its_own(autologged: Store) -> None:
    """Its score was a point of the first one's curve."""
    features, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)).fit(features[:300], target[:300])
    first, second = (features[300:400], target[300:400]), (features[400:], target[400:])
    told = [model.score(*data) for data in (first, second, first, (first[0], second[1][:100]))]
    scaled = model[0].transform(second[0])
    told.append(model[-1].score(scaled, second[1]))
    (run,) = autologged.runs()
    assert run.metrics["test_score"].values.tolist() == [told[0], told[2]]
    for ending, place in (("test_2", 1), ("test_3", 3), ("scaled", 4)):
        assert run.metrics[f"test_score/{ending}"].values.tolist() == [told[place]]
        assert run.metrics[f"test_score/{ending}"].split == "test"
    rows = [run.data[f"test{ending}"]["rows"] for ending in ("", "/test_2", "/test_3", "/scaled")]
    assert rows == [100, 169, 100, 169]


def test_a_set_is_named_as_the_user_names_it(autologged: Store) -> None:
    """Scores of a validation and of a test set were told apart by a number only."""
    features, target = load_breast_cancer(return_X_y=True)
    x_val, y_val, x_test, y_test = features[300:400], target[300:400], features[400:], target[400:]
    model = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0)).fit(features[:300], target[:300])
    told = [model.score(x_val, y_val), model.score(x_test, y_test), model.score(X=x_val + 1, y=y_val)]
    (run,) = autologged.runs()
    found = [run.metrics[f"test_score{ending}"].values.tolist() for ending in ("/val", "", "/test_3")]
    assert found == [[value] for value in told]
    assert (run.data["test/val"]["called"], run.data["test/val"]["rows"], run.data["test"]["rows"]) == ("val", 100, 169)


def test_the_score_of_a_probe_in_a_fit_of_another_framework_is_told_with_that(autologged: Store) -> None:
    """It was lost, as what is fitted there is a part of the fit."""
    with FitSession.begin("own") as session:
        for step in (5, 10):
            session.place = lambda step=step: (step, None)  # type: ignore[misc]
            probe = LogisticRegression(max_iter=500).fit(X[::2], Y[::2])
            told = probe.score(X[1::2], Y[1::2])
            make_pipeline(StandardScaler(), DummyClassifier()).fit(X, Y)
    (run,) = autologged.runs()
    series = run.metrics["test_score/LogisticRegression"]
    assert (series.steps.tolist(), series.last, list(run.metrics)) == ([5, 10], told, [series.key])


def test_what_scikit_learn_scores_itself_in_a_fit_is_its_own(autologged: Store) -> None:
    with FitSession.begin("own"):
        RFECV(DecisionTreeClassifier(), cv=2).fit(X, Y)
        GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2).fit(X, Y)
        cross_val_score(DecisionTreeClassifier(), X, Y, cv=2)
        permutation_importance(DecisionTreeClassifier().fit(X, Y), X, Y, n_repeats=2)
    (run,) = autologged.runs()
    assert list(run.metrics) == ["test_score/DecisionTreeClassifier"]  # the first one of the importance


def test_the_score_of_an_unknown_model_is_in_the_run_that_the_user_has_open(autologged: Store) -> None:
    """Nothing was said of it: Lightning's and transformers' evaluations were in the user's run."""
    autologged_models = []
    with unrecorded():
        autologged_models = [LogisticRegression(max_iter=300).fit(X[::2], Y[::2]) for _ in range(2)]
    first, second = autologged_models
    first.score(X, Y)
    with start_run("mine"):
        told = [first.score(X, Y), first.score(X[1::2], Y[1::2]), second.score(X, Y)]
        StandardScaler().fit(X)
        recorded = LogisticRegression(max_iter=200).fit(X, Y)
        recorded.score(X[::3], Y[::3])
    (run,) = autologged.runs("parent is None")
    assert run.metrics["test_score"].values.tolist()[:1] == told[:1]
    assert run.metrics["test_score/test_2"].last == told[1]
    child, *more = run.children
    assert (child.tags["purpose"], child.metrics["test_score"].last, more) == ("evaluation", told[2], [])
