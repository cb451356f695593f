"""What recording costs around the log: the start of a run, a recorded fit and search, a fingerprint."""

import hashlib
import subprocess
import time

from tests.bench.figures import World, figure, floor

FILES = 3_000


def repository(world: World) -> None:
    """A git repository of 3,000 files, a few of them changed, where the next process works."""
    for number in range(FILES):
        path = world.folder / f"package_{number % 50}" / f"module_{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"NUMBER = {number}\n" * 20)
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *arguments], cwd=world.folder, check=True)
    for number in range(5):
        (world.folder / f"package_{number}" / f"module_{number}.py").write_text("changed = True\n")
        (world.folder / f"new_{number}.py").write_text("new = True\n")


START = """
import time
import numpy
from runlore import start_run
began = time.perf_counter()
run = start_run()
print((time.perf_counter() - began) * 1e3)
"""


@figure(
    "the first run of a process starts, in a repository of 3,000 files", "ms", 30, beside="git status of 3,000 files"
)
def start_in_repository(world: World) -> float:
    repository(world)
    return float(world.python(START))


@floor("git status of 3,000 files", "ms")
def git_status(world: World) -> float:
    repository(world)
    began = time.perf_counter()
    subprocess.run(["git", "status", "--porcelain"], cwd=world.folder, check=True, capture_output=True)
    return (time.perf_counter() - began) * 1e3


FIT = """
import statistics, time
import runlore
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, y = load_iris(return_X_y=True)

def fit():
    began = time.perf_counter()
    LogisticRegression(max_iter=500).fit(X, y)
    return (time.perf_counter() - began) * 1e3

bare, recorded = [], []
for _ in range(12):
    bare += [fit() for _ in range(10)]
    with runlore.autolog():
        fit()
        recorded += [fit() for _ in range(10)]
print(statistics.median(bare), statistics.median(recorded))
"""


@figure("LogisticRegression on iris, added by autolog", "ms", 5, beside="LogisticRegression on iris")
def recorded_fit(world: World) -> float:
    bare, recorded = map(float, world.python(FIT).split())
    return recorded - bare


@floor("LogisticRegression on iris", "ms")
def bare_fit(world: World) -> float:
    return float(world.python(FIT).split()[0])


SEARCH = """
import statistics, time
import runlore
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from sklearn.ensemble import RandomForestClassifier

X, y = load_digits(return_X_y=True)
grid = {"max_depth": [8, 10, 12], "min_samples_leaf": [1, 2, 3, 4]}

def search():
    began = time.perf_counter()
    GridSearchCV(RandomForestClassifier(n_estimators=20, random_state=0), grid, cv=5).fit(X, y)
    return time.perf_counter() - began

search()
bare, recorded = [], []
for _ in range(3):
    bare.append(search())
    with runlore.autolog():
        recorded.append(search())
print(statistics.median(bare), statistics.median(recorded))
"""


@figure("GridSearchCV of 12 × 5, added by autolog", "%", 3, beside="GridSearchCV of 12 × 5")
def recorded_search(world: World) -> float:
    bare, recorded = map(float, world.python(SEARCH).split())
    return (recorded / bare - 1) * 100


@floor("GridSearchCV of 12 × 5", "s")
def bare_search(world: World) -> float:
    return float(world.python(SEARCH).split()[0])


@figure("fingerprint of 100 MB of float64", "s", 0.15, beside="sha256 of 100 MB")
def fingerprint(world: World) -> float:
    import numpy

    from runlore.plugins.data import runlore_describe_data

    data = numpy.random.default_rng(world.round).random((125_000, 100))
    began = time.perf_counter()
    runlore_describe_data(data)
    return time.perf_counter() - began


@floor("sha256 of 100 MB", "s")
def bare_hash(world: World) -> float:
    data = bytes(100_000_000)
    began = time.perf_counter()
    hashlib.sha256(data)
    return time.perf_counter() - began
