"""The contract of a store: what a place for runs must do, whatever it is made of."""

import math
import threading
from pathlib import Path
from typing import Any

import pytest

from runlore.errors import AmbiguousRun, ArtifactNotFound, QueryError, RunNotFound
from runlore.store.store import Store


class StoreContract:
    """Subclass it in a file of tests and say in `make_store` how a fresh, empty store is made."""

    def make_store(self, folder: Path) -> Store:
        """Return a fresh store, which may use an empty folder."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _fresh_store(self, runlore_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        self.tmp_path = tmp_path
        self.store = self.make_store(tmp_path / "place")

    def test_an_empty_store_has_no_runs(self) -> None:
        """Before anything was written, too."""
        assert len(self.store.runs()) == 0
        with pytest.raises(RunNotFound):
            self.store.run("anything")

    def test_what_was_logged_comes_back(self) -> None:
        """Params, tags, notes, points, status."""
        with self.store.start_run("first", experiment="digits", params={"lr": 0.1, "net": {"depth": 4}}) as run:
            run.log_metrics({"loss": 0.5, "acc": 1}, step=3, epoch=1.5)
            run.log_metrics({"loss": math.nan}, step=4)
            run.set_tags({"team": "vision"})
            run.note("why")
        found = self.store.run("first")
        assert (found.id, found.status, found.experiment) == (run.id, "finished", "digits")
        assert (found.params, found.tags) == ({"lr": 0.1, "net.depth": 4}, {"team": "vision"})
        assert [note.text for note in found.notes] == ["why"]
        assert found.metrics["loss"].steps.tolist() == [3, 4]
        assert math.isnan(found.metrics["loss"].values[1])
        assert (found.metrics["acc"].values.tolist(), found.metrics["acc"].count) == ([1.0], 1)

    def test_a_running_run_can_be_read(self) -> None:
        """Up to what was logged last."""
        run = self.store.start_run()
        for step in range(10):
            run.log_metrics({"loss": float(step)}, step=step)
            assert self.store.run(run.id).metrics["loss"].count == step + 1
        assert self.store.run(run.id).status == "running"
        run.finish()
        assert self.store.run(run.id).status == "finished"

    def test_a_model_has_versions_and_aliases(self) -> None:
        """A version stands for the run behind it."""
        (self.tmp_path / "model.pt").write_bytes(b"weights")
        with self.store.start_run("first") as run:
            run.log_artifact(self.tmp_path / "model.pt", model="digits@prod")
        version = self.store.model("digits")["prod"]
        assert (version.version, version.run.id, self.store.run("model:digits@prod").id) == ("1", run.id, run.id)
        assert version.restore(self.tmp_path / "out").read_bytes() == b"weights"
        assert [model.name for model in self.store.models()] == ["digits"]

    def test_a_later_point_supersedes(self) -> None:
        """Of the same key and step."""
        with self.store.start_run() as run:
            for value in (1.0, 2.0):
                run.log_metrics({"loss": value}, step=7)
        assert self.store.run(run.id).metrics["loss"].values.tolist() == [2.0]

    def test_a_failure_is_told(self) -> None:
        """With type, message and traceback."""
        with pytest.raises(ValueError, match="mine"), self.store.start_run("failing"):
            raise ValueError("mine")
        found = self.store.run("failing")
        assert found.status == "failed"
        assert found.error
        assert (found.error["type"], found.error["message"]) == ("ValueError", "mine")
        assert "raise ValueError" in found.error["traceback"]

    def test_many_threads_write_many_runs(self) -> None:
        """No point gets lost or crosses over."""

        def work(number: int) -> None:
            with self.store.start_run(f"run-{number}") as run:
                for step in range(200):
                    run.log_metrics({"value": float(number)}, step=step)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for number in range(8):
            series = self.store.run(f"run-{number}").metrics["value"]
            assert (series.count, series.min, series.max) == (200, number, number)

    def test_files_and_folders_are_kept_by_their_content(self) -> None:
        """And come back byte for byte."""
        folder = self.tmp_path / "model"
        (folder / "deep").mkdir(parents=True)
        (folder / "a.bin").write_bytes(b"\0\1" * 1000)
        (folder / "deep" / "b.bin").write_bytes(b"")
        with self.store.start_run("files") as run:
            run.log_artifact(folder, kind="model", name="best")
        restored = self.store.run("files").artifact("best").restore(self.tmp_path / "out")
        assert (restored / "a.bin").read_bytes() == b"\0\1" * 1000
        assert (restored / "deep" / "b.bin").read_bytes() == b""
        with pytest.raises(ArtifactNotFound, match="it has: best"):
            self.store.run("files").artifact("other")

    def test_runs_are_found_by_query_name_and_part_of_an_id(self) -> None:
        """Sorted and limited."""
        for number in range(4):
            with self.store.start_run(f"n{number}", params={"lr": number / 10}) as run:
                run.log_metrics({"acc": number})
        found = self.store.runs("params.lr > 0 and metrics.acc < 3", sort="-metrics.acc", limit=5)
        assert [run.name for run in found] == ["n2", "n1"]
        assert self.store.run(found[0].id[-8:]) == found[0]
        with pytest.raises(QueryError):
            self.store.runs("params.lr >")
        with self.store.start_run("n0"):
            pass
        with pytest.raises(AmbiguousRun):
            self.store.run("n0")

    def test_a_run_goes_on_where_it_stopped(self) -> None:
        """Points behind the step that it is resumed at are superseded."""
        with pytest.raises(KeyboardInterrupt), self.store.start_run("long") as run:
            for step in range(10):
                run.log_metrics({"loss": float(step)}, step=step)
            raise KeyboardInterrupt
        with self.store.start_run(resume=run.id, at_step=5) as again:
            again.log_metrics({"loss": 60.0}, step=6)
        found: Any = self.store.run("long")
        assert (found.status, len(found.segments)) == ("finished", 2)
        assert found.metrics["loss"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 60.0]

    def test_a_finished_run_takes_additions(self) -> None:
        """Its status and end stay."""
        with self.store.start_run("done"):
            pass
        ended = self.store.run("done").ended
        self.store.run("done").note("later")
        self.store.run("done").set_tags({"good": "yes"})
        found = self.store.run("done")
        assert [note.text for note in found.notes] == ["later"]
        assert (found.tags, found.ended, found.status) == ({"good": "yes"}, ended, "finished")
