"""The fitted model is kept with its run, and files that are written of it lead back to it."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import runlore
from runlore import Store
from runlore.provenance.origins import which_run
from tests.process import Process
from tests.sklearn.models import X, Y, only


def test_a_kept_model_loads_where_runlore_is_not_installed(
    autologged: Store, warm_python: Callable[..., Process], tmp_path: Any
) -> None:
    make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    autologged.runs()[0].artifact("model.pkl").restore(tmp_path)
    printed = warm_python("""
        import sys
        sys.modules["runlore"] = sys.modules["runlore_sklearn"] = None
        import pickle
        print(pickle.load(open("model.pkl", "rb")).predict([[5.1, 3.5, 1.4, 0.2]]))
    """).succeed()
    assert printed == "[0]\n"


@pytest.mark.shows("sklearn", "checkpoints")
def test_what_joblib_dumps_leads_back_to_the_run(autologged: Store, tmp_path: Path) -> None:
    model = DummyClassifier().fit(X, Y)
    other = DecisionTreeClassifier().fit(X, Y)
    assert joblib.dump(model, tmp_path / "m.joblib") == [str(tmp_path / "m.joblib")]
    joblib.dump({"model": other, "extra": 1}, tmp_path / "bundle.joblib", compress=3)
    assert [origin.run for origin in which_run(autologged, tmp_path / "m.joblib").found] == [
        autologged.runs("tags.estimator == 'DummyClassifier'")[0].id
    ]
    (origin,) = which_run(autologged, tmp_path / "bundle.joblib").found
    assert origin.run == autologged.runs("tags.estimator == 'DecisionTreeClassifier'")[0].id
    assert (joblib.load(tmp_path / "m.joblib").predict(X[:2]) == model.predict(X[:2])).all()
    assert len(autologged.runs()) == 2


def test_what_pickle_dumps_into_a_file_leads_back_to_the_run(autologged: Store, tmp_path: Path) -> None:
    model = DummyClassifier().fit(X, Y)
    with (tmp_path / "m.pkl").open("wb") as file:
        pickle.dump(model, file, protocol=4)
    (origin,) = which_run(autologged, tmp_path / "m.pkl").found
    assert origin.artifact == "m.pkl"
    buffer = io.BytesIO()
    pickle.dump(model, buffer)
    pickle.dump([1, 2], buffer)
    assert {item.name for item in only(autologged).artifacts if item.kind == "model"} == {"model.pkl", "m.pkl"}


def dumps() -> list[Any]:
    return [joblib.dump, joblib.numpy_pickle.dump, pickle.dump, joblib.load, joblib.numpy_pickle.load, pickle.load]


def test_dumps_are_the_very_same_functions_after_disabling() -> None:
    before = dumps()
    with runlore.autolog():
        assert not any(now is then for now, then in zip(dumps(), before, strict=True))
    assert all(now is then for now, then in zip(dumps(), before, strict=True))


def test_dumps_can_be_sent_to_workers(autologged: Store, tmp_path: Path) -> None:
    """A wrapped `dump` could not be pickled."""
    for dump in (joblib.dump, joblib.numpy_pickle.dump, pickle.dump):
        assert pickle.loads(pickle.dumps(dump)) is dump
    tasks = (joblib.delayed(joblib.dump)({"a": number}, tmp_path / str(number)) for number in range(3))
    assert len(joblib.Parallel(n_jobs=2)(tasks)) == 3


def test_odd_containers_are_dumped_as_ever(autologged: Store) -> None:
    """A look into the dumped container called methods of its own, which raised."""

    class Odd(dict):  # type: ignore[type-arg]
        def values(self) -> Any:
            raise RuntimeError("no values")

    globals()["Odd"] = Odd
    Odd.__qualname__ = "Odd"
    DummyClassifier().fit(X, Y)
    pickle.dump(Odd(a=1), io.BytesIO())


def test_a_file_opened_by_a_relative_path_is_found_after_a_change_of_folder(
    autologged: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name of an open file was looked up from the folder of today: another file of that name was recorded."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "rel.pkl").write_bytes(b"unrelated")
    model = DummyClassifier().fit(X, Y)
    with open("rel.pkl", "wb") as file:  # noqa: PTH123  # relative, as users write it
        monkeypatch.chdir(tmp_path / "sub")
        pickle.dump(model, file)
    assert len(which_run(autologged, tmp_path / "rel.pkl").found) == 1
    assert len(which_run(autologged, tmp_path / "sub" / "rel.pkl").found) == 0


def test_the_score_of_a_loaded_model_goes_to_the_run_that_wrote_it(
    autologged: Store, tmp_path: Path, warm_python: Callable[..., Process]
) -> None:
    joblib.dump({"model": LogisticRegression().fit(X[::2], Y[::2])}, tmp_path / "model.joblib")
    with (tmp_path / "model.pkl").open("wb") as file:
        pickle.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y), file)
    done = warm_python(
        """
        import joblib, pickle, runlore
        runlore.autolog()
        from tests.sklearn.models import X, Y
        model = joblib.load("model.joblib")["model"]
        print(model.score(X[::2], Y[::2]) > 0.9, model.score(X[1::2], Y[1::2]))  # the first is of the training data
        with open("model.pkl", "rb") as file:
            print(pickle.load(file).score(X[::3], Y[::3]))
        refitted = joblib.load("model.joblib")["model"].fit(X, Y)
        refitted.score(X[::3], Y[::3])
        """,
        PYTHONPATH=str(Path(__file__).parents[2]),
    ).succeed()
    scores = [float(word) for word in done.split()[1:]]
    refitted, whole, half = autologged.runs(sort="-id")
    for run, score in ((half, scores[0]), (whole, scores[1])):
        assert run.metrics["test_score"].values.tolist() == [score]
        assert run.data["test"]["shape"]
    assert refitted.metrics["test_score"].count == 1
