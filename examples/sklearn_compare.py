"""Several scikit-learn models on the breast cancer data that ships with it; two lines of runlore, no tracking code.

Run it, then look: `runlore ls`, `runlore show NAME`.
"""

import runlore

runlore.autolog()

from sklearn.datasets import load_breast_cancer  # noqa: E402  # autolog works before and after an import
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV, train_test_split  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402


def main() -> None:
    features, target = load_breast_cancer(return_X_y=True, as_frame=True)
    x_train, x_test, y_train, y_test = train_test_split(features, target, test_size=0.3, random_state=0)

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    print(f"logistic regression  {pipeline.fit(x_train, y_train).score(x_test, y_test):.3f}")

    for seed in range(3):
        forest = RandomForestClassifier(n_estimators=60, random_state=seed)
        print(f"forest, seed {seed}       {forest.fit(x_train, y_train).score(x_test, y_test):.3f}")

    boosting = HistGradientBoostingClassifier(max_iter=60, learning_rate=0.1, random_state=0)
    print(f"boosting             {boosting.fit(x_train, y_train).score(x_test, y_test):.3f}")

    machine = make_pipeline(StandardScaler(), SVC())
    search = GridSearchCV(machine, {"svc__C": [0.1, 1, 10, 100], "svc__gamma": ["scale", 0.01]}, cv=5)
    print(f"grid search          {search.fit(x_train, y_train).score(x_test, y_test):.3f}")


if __name__ == "__main__":
    main()
