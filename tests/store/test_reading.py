"""Reading: tables for other libraries, notebooks, settings from pyproject.toml, writers on other machines."""

import math
import os
import time
from pathlib import Path

import pytest

import runlore
from runlore import Store
from runlore.errors import RunloreWarning
from runlore.log.liveness import HEARTBEAT, STALE, Life, life_of, on_network_disk, process_identity
from runlore.log.writer import LogWriter


@pytest.fixture
def filled(store: Store) -> Store:
    with store.start_run("one", params={"lr": 0.1, "mixed": 1, "list": [1, 2]}, tags={"t": "v"}) as run:
        run.log_metrics({"loss": 1.0, "<b>": math.nan})
    with store.start_run("<script>alert(1)</script>", params={"lr": 0.2, "mixed": "text"}) as run:
        run.log_metrics({"loss": 0.5})
    return store


def test_runs_become_frames_of_every_library(filled: Store) -> None:
    runs = filled.runs(sort="id")
    pandas = runs.to_pandas()
    assert pandas["params.lr"].tolist() == [0.1, 0.2]
    assert pandas["metrics.loss.min"].tolist() == [1.0, 0.5]
    assert str(pandas["started"].dtype).startswith("datetime64")
    polars = runs.to_polars()
    assert polars["params.mixed"].to_list() == ["1", "text"]
    assert polars["tags.t"].to_list() == ["v", None]
    arrow = runs.to_arrow()
    assert arrow.column("metrics.loss.last").to_pylist() == [1.0, 0.5]
    assert arrow.num_rows == 2


def test_no_runs_become_empty_frames(store: Store) -> None:
    assert len(store.runs().to_pandas()) == len(store.runs().to_polars()) == store.runs().to_arrow().num_rows == 0


def test_a_notebook_shows_runs_with_foreign_text_escaped(filled: Store) -> None:
    for html in (filled.runs()._repr_html_(), filled.runs()[0]._repr_html_(), filled.runs()[1]._repr_html_()):
        assert "<table>" in html
        assert "<script>" not in html
        assert "<b></" not in html


def test_a_list_of_runs_is_a_sequence(filled: Store) -> None:
    runs = filled.runs()
    assert len(runs[:1]) == 1
    assert runs[0] in runs
    assert runs[-1].name == "one"
    assert repr(runs) == "<RunList of 2>"
    assert "'loss': 1 points, last 1" in repr(filled.run("one").metrics["loss"])


def test_settings_come_from_the_project_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "deep").mkdir(parents=True)
    settings = '[tool.runlore]\nexperiment = "from-file"\nstore = "elsewhere"\nquiet = true\n'
    (tmp_path / "project" / "pyproject.toml").write_text(settings)
    monkeypatch.chdir(tmp_path / "project" / "deep")
    monkeypatch.delenv("RUNLORE_STORE")
    monkeypatch.delenv("RUNLORE_QUIET")
    with runlore.start_run("a"):
        pass
    store = runlore.open_store()
    assert store.root == tmp_path / "project" / "elsewhere"
    assert store.run("a").experiment == "from-file"
    monkeypatch.setenv("RUNLORE_EXPERIMENT", "from-environment")
    runlore.start_run("b").finish()
    assert store.run("b").experiment == "from-environment"
    monkeypatch.setenv("RUNLORE_QUIET", "perhaps")
    with pytest.warns(RunloreWarning, match="RUNLORE_QUIET is 'perhaps': write 1 or 0"):
        runlore.start_run("c").finish()


def remote_log(store: Store, folder: Path) -> LogWriter:
    store.folder.create()
    folder.mkdir(parents=True, exist_ok=True)
    opening = {"type": "open", "mode": "start", "name": "far", **process_identity(), "boot": "another machine's"}
    return LogWriter(folder, "1k0y6jjmbgczh9zsa7c.0000aaaa", opening)


def test_a_writer_on_another_machine_is_judged_by_its_heartbeat(store: Store) -> None:
    writer = remote_log(store, store.folder.day("1k0y6jjmbgczh9zsa7c"))
    assert store.run("far").status == "running"
    now = time.time()
    os.utime(writer.path, (now, now - HEARTBEAT - 5))
    assert store.run("far").status == "running"
    os.utime(writer.path, (now, now - STALE - 5))
    assert store.run("far").status == "crashed"
    assert writer.path.exists(), "what may still live is never sealed from here"
    writer.row({"x": 1.0})
    assert store.run("far").status == "running"
    writer.finish({"type": "end", "status": "finished"})
    assert store.run("far").status == "finished"


def test_a_lock_that_a_stranger_holds_does_not_revive_a_dead_process(store: Store, tmp_path: Path) -> None:
    writer = remote_log(store, tmp_path / "logs")
    mine = process_identity()
    assert life_of(writer.path, mine) is Life.ALIVE
    assert life_of(writer.path, {**mine, "pid_start": 1}) is Life.DEAD
    assert life_of(writer.path, {**mine, "pid_start": 1, "pid_namespace": "pid:[1]"}) is Life.ALIVE
    writer.abandon()
    assert life_of(writer.path, mine) is Life.DEAD


def test_a_local_disk_is_no_network_disk(tmp_path: Path) -> None:
    assert not on_network_disk(tmp_path)
