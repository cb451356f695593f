"""A score on other data is added to the run that fitted the estimator."""

from sklearn.datasets import load_breast_cancer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from runlore import Store
from tests.sklearn.models import X, Y


def test_a_score_on_other_data_belongs_to_the_run_that_fitted(autologged: Store) -> None:
    features, target = load_breast_cancer(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(features[:400], target[:400])
    other = RandomForestClassifier(n_estimators=5, random_state=0).fit(features[:400], target[:400])
    score = model.score(features[400:], target[400:])
    model.score(features[500:], target[500:])
    other.score(features[400:], target[400:])
    run = autologged.runs("tags.estimator == 'Pipeline'")[0]
    assert run.metrics["test_score"].values[0] == score
    assert run.metrics["test_score"].count == 2
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
    assert run.metrics["test_score"].count == 49, "the first one is of the training data"
    assert len([path for path in autologged.root.rglob("*") if path.suffix in (".log", ".run")]) == 2
    assert {name for name in run.data if name.startswith("test")} == {"test", "test_2", "test_3", "test_4", "test_5"}
