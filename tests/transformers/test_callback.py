"""The callbacks that a Trainer has: the user's, autolog's, or both."""

import pickle
from pathlib import Path
from typing import Any

import pytest

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.transformers.models import only, trainer


@pytest.mark.parametrize("how", ["callback", "class", "autolog", "both"])
def test_a_training_is_one_run(store: Store, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    given: dict[str, list[Any]] = {
        "callback": [RunloreCallback("mine")],
        "class": [RunloreCallback],
        "autolog": [],
        "both": [RunloreCallback("mine")],
    }
    with runlore.autolog("transformers") if how in ("autolog", "both") else runlore.autolog("sklearn"):
        trainer(tmp_path, *given.get(how, [RunloreCallback("mine")])).train()
    run = only(store)
    assert run.metrics["loss"].steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert (run.status, run.name == "mine") == ("finished", how in ("callback", "both"))
    assert "there is already one" not in caplog.text


def test_what_only_a_second_callback_is_told_counts_for_training_and_baseline(store: Store, tmp_path: Path) -> None:
    """Its experiment and its tags were lost."""
    ours = RunloreCallback("mine", tags={"by": "first"})
    made = trainer(tmp_path, ours, RunloreCallback("other", experiment="digits", tags={"by": "second", "team": "a"}))
    made.evaluate()
    made.train()
    run = only(store)
    assert (run.name, run.experiment, run.tags["by"], run.tags["team"]) == ("mine", "digits", "first", "a")


def test_callbacks_can_be_pickled(store: Store, tmp_path: Path) -> None:
    trainer(tmp_path, pickle.loads(pickle.dumps(RunloreCallback("named")))).train()
    assert only(store).name == "named"


def test_bad_options_are_told_at_once() -> None:
    with pytest.raises(TypeError, match="tags is 'vision'"):
        RunloreCallback(tags="vision")  # type: ignore[arg-type]
