"""The statements on the record: status, points, params, environment, secrets, checkpoints, resuming."""

import math
from pathlib import Path
from typing import Any

import pytest

from runlore.testing.basis import Basis, Run, _content

SECRET = "sk-ant-api03-Zk4vQ9wXr2LmN8pT1sYb"  # has the shape of a service's key


class RecordStatements(Basis):
    """Tests that the record of a training is true and complete."""

    # Honest status (G3)

    def test_the_status_is_true_at_every_moment(self, how: str) -> None:
        """Running while it trains, then finished."""
        seen: list[str] = []
        self._train(how, midway=lambda: seen.append(self._only_run().status))
        assert seen == ["running"]
        run = self._only_run()
        assert (run.status, run.error) == ("finished", None)
        assert run.ended >= run.started
        assert run.tags["integration"] == self.integration

    @pytest.mark.parametrize("ending", ["terminate", "interrupt"])
    def test_a_training_that_is_told_to_stop_reads_interrupted(self, how: str, ending: str) -> None:
        """And its process ends as it would without runlore; one of them starts as cold as users do."""
        codes = vars(type(self)).get("_plain_codes") or {}
        if ending not in codes:  # the same for each way of recording
            codes[ending] = self._elsewhere("plain", ending)
            type(self)._plain_codes = codes
        cold = (how, ending) == (self.hows[-1], "terminate")
        assert self._elsewhere(how, ending, cold=cold) == codes[ending]
        assert self._only_run().status == "interrupted"

    def test_a_killed_training_reads_crashed(self, how: str) -> None:
        """Its metrics up to then are there."""
        self._kill_midway(how)
        run = self._only_run()
        assert run.status == "crashed"
        assert self._param(run) == self.param[1]
        if self.steps > 1:
            assert run.metrics[self.metric].count >= 1, "nothing was on disk when the process was killed"

    # Points and params (G5, G6, G8)

    def test_every_step_has_its_point_once(self, how: str) -> None:
        """At the framework's own step."""
        self._train(how)
        series = self._only_run().metrics[self.metric]
        assert series.steps.tolist() == self._steps()
        values = series.values.tolist()
        assert all(map(math.isfinite, values)), values
        assert self.steps == 1 or len(set(values)) > 1, f"{self.metric} never changes: {values[0]}"

    def test_params_are_written_before_the_middle(self, how: str) -> None:
        """Under the framework's own names; what the training was given counts as passed, not as captured."""
        seen: list[Any] = []
        self._train(how, midway=lambda: seen.append(self._param(self._only_run())))
        assert seen == [self.param[1]]
        assert self.param[0] not in self._only_run().captured

    def _param(self, run: Run) -> Any:
        """Return the value of the contract's own param."""
        name = self.param[0]
        assert name in run.params, f"{name!r} is not among the recorded params: {', '.join(run.params) or 'none'}"
        return run.params[name]

    def test_the_environment_is_recorded(self, how: str) -> None:
        """Python, system, packages, command, folder."""
        self._train(how)
        run = self._only_run()
        assert {"python", "os", "packages"} <= set(run.environment)
        assert run.command["cwd"] == str(Path.cwd())
        assert run.command["argv"]

    # Secrets (G7)

    def test_a_secret_in_an_exception_is_nowhere_in_the_store(self, how: str) -> None:
        """Nor in any blob."""

        def fail() -> None:
            raise ValueError(f"401 for api_key={SECRET}")

        with pytest.raises(ValueError, match="401"):
            self._train(how, midway=fail)
        run = self._only_run()
        assert "401" in run.error["message"]
        assert SECRET not in str(run.error)
        assert SECRET not in str(run.params)
        files = [path for path in self.store.root.rglob("*") if path.is_file()]
        assert not [path for path in files if SECRET.encode() in path.read_bytes()]

    # Checkpoints and resuming (G14, G15, G16)

    def test_checkpoints_are_recorded_and_the_last_one_kept(self, how: str) -> None:
        """With path, size, hash, step and roles; restored byte for byte."""
        self._needs_checkpoints()
        self._train(how)
        run = self._only_run()
        found = [item for item in run.artifacts if item.kind == "checkpoint"]
        assert found
        for item in found:
            assert item.step is not None
            assert item.sha256 is not None or item.why
        last = run.artifact("last")
        assert (last.stored, last.present) == (True, True)
        restored = last.restore(self._new("restored"))
        assert _content(restored) == _content(Path(last.path))

    def test_a_checkpoint_holds_nothing_of_runlore(self, how: str) -> None:
        """So it loads where runlore is not installed."""
        self._needs_checkpoints()
        self._train(how)
        assert self._only_run().artifact("last")
        for path, content in _content(self.checkpoint(self.folder)).items():
            assert b"runlore" not in content, path

    def test_a_killed_training_that_goes_on_is_one_run(self, how: str) -> None:
        """Two segments, no step twice; the last way of recording goes on as cold as users do."""
        self._needs_checkpoints()
        self._kill_midway(how)
        assert self._only_run().status == "crashed"
        resume_from = self.checkpoint(self.folder)
        self._elsewhere(how, "none", resume_from=resume_from, cold=how == self.hows[-1])
        run = self._only_run()
        assert (run.status, len(run.segments)) == ("finished", 2)
        assert run.metrics[self.metric].steps.tolist() == self._steps()

    def test_a_finished_training_that_goes_on_is_a_linked_run(self, how: str) -> None:
        """From the step of its checkpoint."""
        self._needs_checkpoints()
        self._train(how)
        self._train(how, resume_from=self.checkpoint(self.folder), longer=True)
        second, first = self._runs()
        step = first.artifact("last").step
        assert second.links == [{"kind": "resumed_from", "run": first.id, "step": step}]
        assert first.metrics[self.metric].steps.tolist() == self._steps()
        assert second.metrics[self.metric].steps.tolist() == self._steps(2 * self.steps)[self.steps :]
