"""scikit-learn's own tests have the same outcome, test by test, with autolog on as with it off."""

from pathlib import Path

import pytest
import sklearn

from runlore import Store
from tests.upstream.outcomes import both, differing

PLACE = Path(sklearn.__file__).parent
CHOICE = """
import re

def pytest_collection_modifyitems(items):
    wanted = set(os.environ["ESTIMATORS"].split())
    if items and items[0].path.name == "test_common.py":
        found = [re.search(r"\\[(\\w+)\\(", item.name) for item in items]
        items[:] = [item for item, name in zip(items, found) if name and name[1] in wanted]
"""
ESTIMATORS = (
    "LogisticRegression LinearRegression Ridge Lasso SGDClassifier LinearSVC SVC KMeans MiniBatchKMeans DBSCAN "
    "DecisionTreeClassifier RandomForestClassifier GaussianNB KNeighborsClassifier PCA StandardScaler MLPClassifier "
    "DummyClassifier GaussianMixture IsolationForest"
)  # twenty of them
SUITES = {"callback": "callback", "pipeline": "tests/test_pipeline.py", "common": "tests/test_common.py"}


@pytest.mark.stress
@pytest.mark.parametrize("suite", [name for name, path in SUITES.items() if (PLACE / path).exists()])
def test_its_own_tests_come_to_the_same(suite: str, store: Store, tmp_path: Path) -> None:
    off, on = both([PLACE / SUITES[suite]], tmp_path, more=CHOICE, ESTIMATORS=ESTIMATORS)
    assert differing(off, on) == {}
    assert list(on.values()).count("passed") > 20
    assert len(store.runs()) > 10
    assert len(store.runs("status == 'running'")) == 0
