"""What a Python of a program loads of ours: for each framework what records it, once it is imported."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from sklearn.dummy import DummyClassifier

from runlore import Store

LOADED = "import sys; print(*(name for name in sys.modules if name != '__main__'))"
AT_EXIT = "import runlore.programs.telling"  # which is imported when the program ends
OURS = {
    "atexit", "sitecustomize", "runlore", "runlore._callers", "runlore._lazy", "runlore._startup", "runlore.programs",
    "runlore.programs.hearing", "runlore.programs.telling",
}  # fmt: skip
FIT = "from sklearn.dummy import DummyClassifier; DummyClassifier().fit([[0], [1]], [0, 1])"


def printed(work: Path, code: str, *before: str) -> set[str]:
    """The words that Python prints."""
    command = [*before, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def recorded(work: Path, code: str) -> set[str]:
    return printed(work, code, sys.executable, "-m", "runlore", "run")


def test_a_python_that_trains_nothing_loads_nothing_but_ours(store: Store, tmp_path: Path) -> None:
    bare = printed(tmp_path, LOADED)
    assert recorded(tmp_path, f"{AT_EXIT}; {LOADED}") - bare == OURS
    assert "typing" not in bare


def test_our_own_process_loads_what_a_run_needs(store: Store, tmp_path: Path) -> None:
    """It imported `ast` to read what the program's Python tells."""
    command = [sys.executable, "-X", "importtime", "-m", "runlore", "run", sys.executable, "-c", "pass"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "runlore.programs.told" in loaded
    assert loaded.isdisjoint({"ast", "sysconfig", "click", "numpy", "importlib.metadata", "dataclasses", "inspect"})


@pytest.mark.parametrize(
    ("imports", "integrations"),
    [
        ("pickle", set()),
        ("multiprocessing.pool", set()),
        ("pickle, joblib", {"runlore_scripts"}),
        ("pickle, sklearn.base", {"runlore_scripts", "runlore_sklearn"}),
    ],
)
def test_a_framework_loads_only_what_records_it(
    store: Store, tmp_path: Path, imports: str, integrations: set[str]
) -> None:
    found = {name.partition(".")[0] for name in recorded(tmp_path, f"import {imports}; {LOADED}")}
    assert {name for name in found if name.startswith("runlore_")} == integrations


PICKLES = """
import inspect, pickle, sys
from pickle import dump, load
bare = sys.argv[1] == "bare"
class Model:
    keep = dump
    def predict(self): pass
assert pickle.loads(pickle.dumps(dump)) is dump is pickle.dump and "protocol" in inspect.signature(dump).parameters
assert ("runlore.programs.joining" in sys.modules) is False
try:
    BEFORE
    dump(lambda: 0, open("broken.pkl", "wb"))
except Exception as error:
    trace = error.__traceback__
    assert trace.tb_next is None, trace.tb_next
Model().keep(Model(), open("first.pkl", "wb"))
dump(Model(), open("second.pkl", "wb"))
pickle.dump(Model(), open("third.pkl", "wb"))
load(open("old.pkl", "rb"))
assert bare or "runlore.programs.joining" in sys.modules
"""


@pytest.mark.parametrize(
    "before", ["pass", "import argparse; argparse.ArgumentParser().parse_known_args()", "import joblib"]
)
def test_a_model_is_recorded_by_whatever_name_pickle_is_called(store: Store, tmp_path: Path, before: str) -> None:
    """What records it is loaded as the program's own code first calls it, or as a framework is imported."""
    (tmp_path / "keep.py").write_text(PICKLES.replace("BEFORE", before))
    (tmp_path / "old.pkl").write_bytes(pickle.dumps(DummyClassifier()))
    for start in ([], ["-m", "runlore", "run"]):
        command = [sys.executable, *start, "keep.py", "recorded" if start else "bare"]
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (found,) = store.runs()
    assert {item.name for item in found.artifacts if item.kind == "model"} == {"first.pkl", "second.pkl", "third.pkl"}
    assert set(found.data) == {"old.pkl"}


@pytest.mark.parametrize(
    ("call", "is_recorded"),
    [
        ("runlore.autolog().disable()", False),
        ("runlore.autolog('sklearn').disable(); import joblib", False),
        ("runlore.autolog().__exit__(None, None, None)", True),
        ("runlore.autolog()", True),
    ],
)
def test_what_a_script_switches_off_stays_off(store: Store, tmp_path: Path, call: str, is_recorded: bool) -> None:
    recorded(tmp_path, f"import pickle, runlore; {call}; {FIT}")
    (found,) = store.runs()
    assert ("estimator" in found.tags) == is_recorded
