import pickle
import warnings

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
models = {
    "tree": DecisionTreeClassifier(max_depth=2, random_state=0),
    "pipe": make_pipeline(StandardScaler(), LogisticRegression(max_iter=3)),
    "forest": RandomForestClassifier(5, random_state=0, n_jobs=2),
}
for name, model in models.items():
    model.fit(X, y)
    print(f"{name:10s} {model.score(X, y):.3f}")
print(cross_val_score(models["tree"], X, y, cv=3).round(3))
search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2, 3]}, cv=3, n_jobs=2).fit(X, y)
print(search.best_params_, round(search.best_score_, 3))
with open("best.pkl", "wb") as f:
    pickle.dump(search.best_estimator_, f)
