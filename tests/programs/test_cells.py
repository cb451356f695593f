"""`%load_ext runlore` in real notebooks, executed by a kernel of Jupyter."""

from pathlib import Path
from typing import Any

import pytest

from runlore import Store
from runlore.plugins import typed
from runlore.store.runs import RecordedRun

nbclient = pytest.importorskip("nbclient")
notebooks = pytest.importorskip("nbformat").v4
FIT = (
    "from sklearn.datasets import load_iris\nfrom sklearn.dummy import DummyClassifier\n"
    "DummyClassifier().fit(*load_iris(return_X_y=True));"
)


def execute(*cells: str, allow_errors: bool = False) -> list[str]:
    """Run cells one after the other, and return what each has shown."""
    notebook = notebooks.new_notebook(cells=[notebooks.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=allow_errors).execute()
    return ["".join(map(_text, cell.outputs)) for cell in notebook.cells]


def _text(output: Any) -> str:
    found = output.get("text") or output.get("data", {}).get("text/plain") or output.get("traceback") or ""
    return found if isinstance(found, str) else "\n".join(found)


def cells_of(run: RecordedRun) -> str:
    item = [item for item in run.artifacts if item.name == typed.TYPED][-1]
    (member,) = item.members
    return item.blobs.read(member.sha256).decode()


def test_each_training_of_a_notebook_is_a_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "/somewhere/iris.ipynb")
    execute("%load_ext runlore", "rate = 1\n" + FIT, "rate = 2", FIT, "%unload_ext runlore", FIT)
    second, first = store.runs()
    assert (first.tags["estimator"], first.parent, second.parent) == ("DummyClassifier", None, None)
    assert first.environment["notebook"] == {"path": "/somewhere/iris.ipynb"}
    assert "# %% [2]\nrate = 1" in cells_of(first)
    assert cells_of(second).index("rate = 1") < cells_of(second).index("# %% [3]\nrate = 2")


def test_a_notebook_is_one_run_if_the_magic_asks_for_it(store: Store) -> None:
    shown = execute(
        "__vsc_ipynb_file__ = '/work/study.ipynb'",
        f"{FIT}\n%load_ext runlore",
        "%runlore notebook",
        f"{FIT}\nimport runlore\nrunlore.log_metrics({{'seen': 1.0}})",
        "%runlore notebook",
        "rate = 3",
        "%runlore trainings",
        FIT,
    )
    assert shown[2] == shown[4] and shown[2].startswith("<Run 'study' ")
    (run,) = store.runs("name == 'study'")
    assert (run.status, run.metrics["seen"].last) == ("finished", 1.0)
    assert "rate = 3" in cells_of(run)
    assert len(store.runs(f"parent == '{run.id}'")) == 1
    assert len(store.runs("parent is None")) == 2


def test_a_notebook_is_one_run_by_setting_and_ends_with_its_kernel(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNLORE_NOTEBOOK", "1")
    monkeypatch.setenv("RUNLORE_AUTOLOG", "keras")
    execute("%load_ext runlore\n%load_ext runlore", FIT, "last = 1", "%reload_ext runlore")
    assert [(run.parent, run.status) for run in store.runs()] == [(None, "finished")] * 2
    assert "last = 1" in cells_of(store.runs()[-1])


def test_what_the_magic_does_not_know_is_told(store: Store) -> None:
    shown = execute("%load_ext runlore", "%runlore notebok", allow_errors=True)
    assert "'notebok' is not known: write `%runlore notebook NAME`" in shown[1]


def test_a_wrong_setting_is_told_in_the_cell(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_AUTOLOG", "sklern")
    shown = execute("%load_ext runlore", allow_errors=True)
    assert "no integration records 'sklern'" in shown[0]


def test_everything_is_restored(store: Store) -> None:
    look = "print(all(item is before[n] for n, item in enumerate([DummyClassifier.fit, pickle.dump])))"
    shown = execute(
        f"import pickle\n{FIT}\nbefore = [DummyClassifier.fit, pickle.dump]", "%load_ext runlore\n" + look,
        "%unload_ext runlore\n" + look, "%runlore notebook", allow_errors=True,
    )  # fmt: skip
    assert shown[1:3] == ["False\n", "True\n"]
    assert "not found" in shown[3]
