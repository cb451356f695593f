"""RunloreCallback: its arguments, and what it does to a Trainer when it breaks."""

import copy
import inspect
from pathlib import Path
from typing import Any

import pytest

from runlore import RunloreWarning, Store
from runlore_lightning import RunloreCallback, RunloreLogger
from tests.lightning.models import Tiny, data, only, pl, trainer


def test_name_experiment_and_tags_can_be_given(store: Store, tmp_path: Any) -> None:
    other = Store(tmp_path / "other")
    callback = RunloreCallback("first", experiment="digits", tags={"team": "vision"}, store=other)
    trainer(callback, max_epochs=1).fit(Tiny(), data())
    run = only(other)
    assert (run.name, run.experiment, run.tags["team"]) == ("first", "digits", "vision")


def test_a_store_may_be_named_by_its_path_and_wrong_arguments_are_told_at_once(store: Store, tmp_path: Path) -> None:
    trainer(RunloreCallback(store=str(tmp_path / "other")), max_epochs=1).fit(Tiny(), data())
    assert len(Store(tmp_path / "other").runs()) == 1
    with pytest.raises(TypeError, match="tags is 'x': write a mapping"):
        RunloreCallback(tags="x")  # type: ignore[arg-type]
    for cls in (RunloreCallback, RunloreLogger):
        assert list(inspect.signature(cls).parameters) == ["name", "experiment", "tags", "store", "dry_runs"]


@pytest.mark.parametrize("how", [{"fast_dev_run": True}, {"barebones": True}])
def test_a_dry_run_is_recorded_only_if_asked_for(store: Store, monkeypatch: pytest.MonkeyPatch, how: Any) -> None:
    def fit(callback: Any) -> None:
        settings = {"max_epochs": 1, "enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        plain = {"num_sanity_val_steps": 0, "enable_checkpointing": False, "log_every_n_steps": 0}
        own = plain if "barebones" in how else {}
        pl.Trainer(callbacks=[callback], accelerator="cpu", **{**settings, **own, **how}).fit(Tiny(), data(), data())

    fit(RunloreCallback())
    assert len(store.runs()) == 0
    fit(RunloreCallback(dry_runs=True))
    assert len(store.runs()) == 1
    monkeypatch.setenv("RUNLORE_DRY_RUNS", "1")
    fit(RunloreCallback())
    assert len(store.runs()) == 2


def test_a_callback_that_breaks_costs_the_record_only(store: Store) -> None:
    broken = RunloreCallback()
    broken.options = None  # type: ignore[assignment]
    made = trainer(broken, max_epochs=1)
    with pytest.warns(RunloreWarning, match="less is recorded: RunloreCallback.on_fit_start failed: AttributeError"):
        made.fit(Tiny(), data())
    assert made.state.status == "finished"
    assert len(store.runs()) == 0


def test_a_subclass_may_do_without_our_init(store: Store) -> None:
    class Mine(RunloreCallback):
        def __init__(self) -> None:
            self.mine = 3

    made = copy.deepcopy(Mine())
    trainer(made, max_epochs=1).fit(Tiny(), data())
    assert made.mine == 3
    assert len(store.runs()) == 1
