"""Jobs that are started again: on another node, after they left early, for the first time."""

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import RunloreWarning, Store
from runlore.log import liveness
from runlore.recording import resuming
from tests.commands import runlore
from tests.process import Process

Python = Callable[..., Process]

LEAVES = """
    import sys, runlore
    with runlore.start_run("job", resume="allow") as run:
        run.log_metrics({"loss": 1.0})
        sys.exit(0)
"""
KILLED = """
    import os, signal, runlore
    from runlore.log import liveness
    liveness.boot_id = lambda: "another machine's"
    run = runlore.start_run("job")
    run.log_metrics({"loss": 1.0})
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers on other machines are taken for dead sooner."""
    monkeypatch.setattr(liveness, "STALE_S", 1.0)
    monkeypatch.setattr(resuming, "WATCH_S", 0.05)


def log_of(store: Store) -> Path:
    (path,) = store.root.glob("runs/*/*/*.log")
    return path


@pytest.mark.usefixtures("impatient")
def test_a_job_on_another_node_waits_for_silence_and_takes_its_run(store: Store, python: Python) -> None:
    """It once ended with "no run: still being written"."""
    python(KILLED).wait()
    os.utime(log_of(store))
    with store.start_run(resume="job") as run:
        run.log_metrics({"loss": 0.5})
    (found,) = store.runs()
    assert [segment.status for segment in found.segments] == ["crashed", "finished"]
    assert found.metrics["loss"].values.tolist() == [1.0, 0.5]


@pytest.mark.usefixtures("impatient")
def test_a_run_that_goes_on_elsewhere_is_left_alone(store: Store, python: Python) -> None:
    python(KILLED).wait()
    path, stop = log_of(store), threading.Event()

    def beat() -> None:
        while not stop.wait(0.1):
            os.utime(path)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        store.start_run("branch", resume="job", at_step=3).finish()
    finally:
        stop.set()
        thread.join()
    assert store.run("branch").links == [{"kind": "resumed_from", "run": store.run("job").id, "step": 3}]
    assert len(store.run("job").segments) == 1


def test_a_job_that_slurm_started_again_takes_its_run_at_once(
    store: Store, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "STALE_S", 1e6)
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    python(KILLED).wait()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    began = time.monotonic()
    store.start_run(resume="job").finish()
    assert time.monotonic() - began < 30
    (found,) = store.runs()
    assert len(found.segments) == 2


def test_a_run_that_a_living_process_here_writes_is_branched_off(store: Store) -> None:
    with store.start_run("first") as first, store.start_run("second", resume="first") as second:
        assert second.id != first.id
    assert store.run("second").links == [{"kind": "resumed_from", "run": first.id}]


def test_allow_starts_a_run_and_goes_on_with_it(store: Store, python: Python) -> None:
    """Going on with a run of one's own name once was an error at the first start."""
    python(LEAVES).succeed()
    assert store.run("job").status == "finished"
    python(LEAVES).succeed()
    (found,) = store.runs()
    assert found.metrics["loss"].steps.tolist() == [0, 1]


def test_a_run_whose_process_left_without_an_end_can_go_on(store: Store, python: Python) -> None:
    script = """
        import sys, runlore
        run = runlore.start_run("job", resume="allow")
        run.log_metrics({"loss": 1.0})
        sys.exit(0)
    """
    for _ in range(2):
        python(script).succeed()
    assert len(store.run("job").segments) == 2


@pytest.mark.parametrize("name", ['it\'s "odd"', "job"])
def test_a_whole_run_is_not_reopened(store: Store, name: str) -> None:
    with store.start_run(name) as first:
        first.log_metrics({"loss": 1.0})
    with store.start_run(name, resume="allow") as second:
        pass
    assert store.run(second.id).links == [{"kind": "resumed_from", "run": first.id}]


def test_a_run_of_that_name_in_another_experiment_or_below_another_run_is_none(store: Store) -> None:
    store.start_run("same", experiment="other").finish("failed")
    parent = store.start_run("parent")
    store.start_run("same", parent=parent).finish("failed")
    parent.finish()
    store.start_run("same", resume="allow").finish()
    assert len(store.runs('name == "same"')) == 3


@pytest.mark.parametrize(
    ("variables", "tag"),  # the last variable is the job's
    [
        ({"SLURM_CLUSTER_NAME": "big", "SLURM_JOB_ID": "4711"}, "slurm/big/4711"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOSTNAME": "train-x7k2p"}, "kubernetes/train"),
        ({"SLURM_JOB_ID": "4711", "RUNLORE_JOB": "pbs-12"}, "pbs-12"),
    ],
)
def test_a_job_finds_its_own_run_without_a_name(
    store: Store, python: Python, variables: dict[str, str], tag: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    script = """
        import os, signal, runlore
        run = runlore.start_run(resume="allow")
        run.log_metrics({"loss": 1.0})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    for _ in range(2):
        python(script).wait()
    (found,) = store.runs()
    assert (len(found.segments), found.tags["job"]) == (2, tag)
    monkeypatch.setenv(list(variables)[-1], "another")
    python(script).wait()
    assert len(store.runs()) == 2


def test_a_job_that_slurm_started_again_goes_on_with_what_had_finished(
    store: Store, python: Python, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    script = """
        import runlore
        with runlore.start_run(resume="allow") as run:
            run.log_metrics({"loss": 1.0})
    """
    python(script).succeed()
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    python(script).succeed()
    (found,) = store.runs()
    assert len(found.segments) == 2


def test_allow_without_a_name_or_a_job_says_so_and_starts_a_run(store: Store) -> None:
    with pytest.warns(RunloreWarning, match="neither a name nor a job"):
        store.start_run(resume="allow").finish()
    assert len(store.runs()) == 1


def test_a_job_whose_run_was_removed_starts_another_one(store: Store) -> None:
    with pytest.raises(RuntimeError, match="first"), store.start_run("job", resume="allow") as first:
        raise RuntimeError("first")
    assert runlore("rm", "job").exit_code == 0
    with store.start_run("job", resume="allow") as second:
        assert second.id != first.id
    assert runlore("undo").exit_code == 0
    assert {run.id for run in store.runs("name == 'job'")} == {first.id, second.id}
