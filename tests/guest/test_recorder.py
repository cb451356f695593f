"""Tests of the verbs that integrations have on a run, during a fit and after it."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from runlore import FitSession, RunloreWarning, Store
from runlore.guest.additions import Additions
from runlore.guest.recorder import Recorder
from tests.process import Process

BYTES = b"weights of a model"


@pytest.fixture(params=["session", "additions"])
def recorder(request: pytest.FixtureRequest, store: Store) -> Iterator[Recorder]:
    """A session and additions, each for a run named "run"."""
    if request.param == "session":
        with store.start_run("run"), FitSession.begin("own") as session:
            yield session
    else:
        with store.start_run("run") as run:
            pass
        additions = Additions(run)
        yield additions
        additions.close()


def test_every_verb_writes_into_the_run(recorder: Recorder, store: Store, tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin"):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / name).write_bytes(BYTES)
    recorder.params({"lr": 0.1})
    recorder.params(lambda: {"depth": 3})
    recorder.metrics({"score": 0.5}, step=2, epoch=1, split="test")
    recorder.summary({"seconds": 3.0})
    assert recorder.data("X", [[1.0, 2.0], [3.0, 4.0]], purpose="test")
    recorder.file(tmp_path / "model" / "a.bin", kind="model", most=100, step=2)
    recorder.file(tmp_path / "model" / "b.bin", kind="large", most=10)
    recorder.files(tmp_path / "model", sorted((tmp_path / "model").iterdir()), kind="model", most=100)
    recorder.keep_bytes(b"1,2\n", name="table.csv", kind="table")
    recorder.link("refit_of", "20250101-000000-000000", step=3)
    recorder.missing("scores", "none was asked for")
    run = store.run("run")
    assert (run.params["lr"], run.params["depth"]) == (0.1, 3)
    assert run.metrics["test/score"].steps.tolist() == [2]
    assert run.summary["seconds"] == 3.0
    assert (run.data["X"]["rows"], run.data["X"]["purpose"]) == (2, "test")
    assert {item.name: (item.kind, item.stored) for item in run.artifacts if item.kind != "code"} == {
        "a.bin": ("model", True), "b.bin": ("large", False), "model": ("model", True), "table.csv": ("table", True)
    }  # fmt: skip
    assert run.links[0]["kind"] == "refit_of"
    assert {"what": "scores", "why": "none was asked for"} in run.missing


def test_what_asking_for_params_raises_is_in_the_run_only(recorder: Recorder, store: Store) -> None:
    def params() -> Mapping[str, Any]:
        raise SystemExit("a model that can't be asked")

    recorder.params(params)
    assert {"what": "params", "why": "SystemExit: a model that can't be asked"} in store.run("run").missing


def test_no_verb_raises(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.warns(RunloreWarning):
        recorder.file(tmp_path / "gone.bin", kind="model", most=100)
    if isinstance(recorder, Additions):  # a session reports its first failure only
        with pytest.warns(RunloreWarning, match="metrics can't be added to <Run 'run'"):
            recorder.metrics(5)  # type: ignore[arg-type]
        with pytest.warns(RunloreWarning, match="data X can't be added"):
            recorder.run.run_log.folder.day(recorder.run.id).rename(tmp_path / "removed")
            recorder.close()
            recorder.data("X", [1.0])


def test_additions_to_the_writer_of_a_file_share_one_open_log(
    store: Store, tmp_path: Path, python: Callable[..., Process]
) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(BYTES)
    with store.start_run("run") as run:
        run.log_artifact(path, kind="model", step=7, epoch=1.5)
    python(f"""
        from runlore.guest.additions import Additions
        first, second = (Additions.to_writer_of({str(path)!r}) for _ in range(2))
        assert first.run is second.run and (first.step, first.epoch) == (7, 1.5)
        first.metrics({{"score": 0.5}})
        second.close()
        first.metrics({{"score": 0.7}}, step=8)
    """).succeed()
    score = store.run("run").metrics["score"]
    assert (score.steps.tolist(), score.values.tolist()) == ([7, 8], [0.5, 0.7])
    assert score.epochs.tolist()[0] == 1.5
    assert not [path.name for path in store.root.rglob("*.log")]


def test_why_training_stopped_is_told_with_its_place(recorder: Recorder, store: Store) -> None:
    recorder.stopped("loss is NaN")
    assert store.run("run").tags["stopped"] == "loss is NaN"
    recorder.stopped("loss did not improve", step=20, epoch=1.0)
    assert store.run("run").tags["stopped"] == "step 20, epoch 1: loss did not improve"
    recorder.stopped("max_time", step=12_345_678, epoch=0.5)
    assert store.run("run").tags["stopped"] == "step 12345678, epoch 0.5: max_time"
