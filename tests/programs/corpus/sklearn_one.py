# A classifier on toy data, as in the gallery.
import joblib
from sklearn.datasets import make_moons
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split

X, y = make_moons(200, noise=0.3, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
clf = LogisticRegression(C=0.5).fit(X_train, y_train)
print("score: %.3f" % clf.score(X_test, y_test))
print(classification_report(y_test, clf.predict(X_test)))
joblib.dump(clf, "model.joblib")
