"""scikit-learn's own tests have the same outcome, test by test, with autolog on as with it off."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest
import sklearn

from runlore import Store

PLACE = Path(sklearn.__file__).parent
PLUGIN = """
import os, re
if os.environ.get("RECORDED"):
    import runlore
    runlore.autolog()

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


def outcomes(suite: str, folder: Path, *, recorded: bool) -> dict[str, str]:
    """What each test of a suite came to."""
    place = folder / f"{suite}-{recorded}"
    place.mkdir()
    (place / "recorded_plugin.py").write_text(PLUGIN)
    settings = ["-c", os.devnull, f"--rootdir={place}"]  # none of ours, though the packages may lie below us
    command = [sys.executable, "-m", "pytest", "-q", *settings, "-p", "no:cacheprovider", "-p", "recorded_plugin"]
    environment = {**os.environ, "PYTHONPATH": str(place), "RECORDED": "1" if recorded else ""}
    environment |= {"RUNLORE_STORE": str(folder / "store"), "OMP_NUM_THREADS": "1", "ESTIMATORS": ESTIMATORS}
    result = place / "result.xml"
    done = subprocess.run(
        [*command, f"--junitxml={result}", str(PLACE / SUITES[suite])],
        cwd=place, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.exists(), done.stdout + done.stderr
    found = {}
    for case in ElementTree.parse(result).iter("testcase"):
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        found[f"{case.get('classname')}::{case.get('name')}"] = kinds[0] if kinds else "passed"
    return found


@pytest.mark.parametrize("suite", [name for name, path in SUITES.items() if (PLACE / path).exists()])
def test_its_own_tests_come_to_the_same(suite: str, store: Store, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        off, on = pool.map(lambda recorded: outcomes(suite, tmp_path, recorded=recorded), (False, True))
    assert len(off) > 20
    assert {name: (before, on.get(name)) for name, before in off.items() if on.get(name) != before} == {}
    assert list(on.values()).count("passed") > 20
    assert len(store.runs()) > 10
    assert len(store.runs("status == 'running'")) == 0
