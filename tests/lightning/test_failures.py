"""Fits that fail before they begin are failed runs, too."""

from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import At, Tiny, data, fail, only, trainer


class Failing(Tiny):
    """Fails in one hook."""

    def __init__(self, hook: str) -> None:
        super().__init__()
        setattr(self, hook, lambda *_, **__: fail(None))


@pytest.mark.parametrize("hook", ["prepare_data", "setup", "configure_model", "configure_optimizers", "on_fit_start"])
def test_a_fit_that_fails_in_a_hook_of_the_module(store: Store, hook: str) -> None:
    """Before the callbacks' `on_fit_start` it left no run."""
    with pytest.raises(ValueError, match="mine"):
        trainer(RunloreCallback("early"), RunloreCallback()).fit(Failing(hook), data(2))
    run = only(store)
    assert (run.name, run.status, run.tags["model"], run.params["hook"]) == ("early", "failed", "Failing", hook)
    assert "ValueError: mine" in run.error["traceback"]


@pytest.mark.parametrize("how", ["autolog", "logger"])
def test_however_it_is_recorded(store: Store, how: str) -> None:
    made = trainer(At("setup", fail), logger=RunloreLogger() if how == "logger" else False)
    with runlore.autolog("lightning") if how == "autolog" else runlore.autolog("sklearn"), pytest.raises(ValueError):
        made.fit(Tiny(), data(2))
    assert only(store).status == "failed"
    with pytest.raises(ValueError, match="mine"):
        trainer(At("setup", fail), logger=RunloreLogger()).test(Tiny(), data(2), verbose=False)
    assert len(store.runs()) == 1


def test_a_checkpoint_that_can_not_be_read(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="missing"):
        trainer(RunloreCallback()).fit(Tiny(), data(2), ckpt_path=tmp_path / "missing.ckpt")
    assert only(store).status == "failed"


def test_one_that_is_interrupted(store: Store) -> None:
    def interrupt(_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit):
        trainer(RunloreCallback(), At("setup", interrupt)).fit(Tiny(), data(2))
    assert only(store).status == "interrupted"


def test_dry_runs_and_the_users_own_run_stay_what_they_are(store: Store) -> None:
    with pytest.raises(ValueError, match="mine"):
        trainer(RunloreCallback(), fast_dev_run=True).fit(Failing("setup"), data(2))
    assert len(store.runs()) == 0
    with store.start_run("mine"):
        with pytest.raises(ValueError, match="mine"):
            trainer(RunloreCallback()).fit(Failing("setup"), data(2))
        trainer(RunloreCallback(), max_epochs=1).fit(Tiny(), data(2))
    assert store.run("mine").status == "finished"
