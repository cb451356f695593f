"""The functions of transformers that are wrapped, and put back; Trainers made before and under autolog."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

import runlore
from runlore import Store
from runlore_transformers import RunloreCallback
from tests.process import Process
from tests.transformers.models import ROOT, At, OwnEvaluate, only, trainer

Python = Callable[..., Process]


def test_autolog_is_an_entry_of_its_own_and_goes_again() -> None:
    defaults = transformers.trainer.DEFAULT_CALLBACKS
    before = list(defaults)
    with runlore.autolog("transformers"), runlore.autolog("transformers"):
        (added,) = [item for item in defaults if item not in before]
        assert not issubclass(added, RunloreCallback)
        assert not issubclass(RunloreCallback, added)
        assert not issubclass(added, transformers.trainer_callback.ExportableState)
    assert transformers.trainer.DEFAULT_CALLBACKS is defaults
    assert defaults == before


REVERSED = """
import runlore
if {early}:
    enabled = runlore.autolog("transformers", "keras")
import transformers.trainer, keras
from transformers import Trainer
names = ("train", "evaluate", "predict", "hyperparameter_search", "save_model")
lists = keras.callbacks.CallbackList
fits = next(cls for cls in keras.Model.__mro__ if "fit" in vars(cls))
def found():
    return [vars(Trainer)[name] for name in names] + [vars(fits)["fit"], vars(lists)["on_train_begin"]]
with runlore.autolog("transformers", "keras"):
    inside = found()
if {early}:
    enabled.disable()
before = found()
assert [getattr(item, "__wrapped__", None) for item in inside] == before, (inside, before)
with runlore.autolog("transformers", "keras"):
    assert found() != before
after = found()
assert all(old is new for old, new in zip(before, after))
assert len(transformers.trainer.DEFAULT_CALLBACKS) == 1
"""


@pytest.mark.parametrize("early", [True, pytest.param(False, marks=pytest.mark.stress)])
def test_disabling_puts_the_very_functions_back(python: Python, early: bool) -> None:
    python(REVERSED.format(early=early), KERAS_BACKEND="torch").succeed()


def test_a_trainer_made_under_autolog_is_silent_when_it_is_off(store: Store, tmp_path: Path) -> None:
    with runlore.autolog("transformers"):
        made = trainer(tmp_path)
    made.train()
    assert len(store.runs()) == 0


def test_a_trainer_made_before_autolog_is_recorded(store: Store, tmp_path: Path) -> None:
    """Only Trainers that are made under autolog have a callback of ours; others went unrecorded."""
    made = trainer(tmp_path)
    with runlore.autolog("transformers"):
        made.train()
        made.evaluate()
    assert (only(store).metrics["loss"].count, only(store).metrics["eval_loss"].count) == (6, 1)


def test_a_trainer_made_before_autolog_keeps_its_callbacks(store: Store, tmp_path: Path) -> None:
    during: list[list[Any]] = []

    def look() -> None:
        during.append(list(made.callback_handler.callbacks))

    made: Any = trainer(tmp_path, At(3, look), cls=OwnEvaluate)
    before = list(made.callback_handler.callbacks)
    with runlore.autolog("transformers"):
        made.train()
        told = made.evaluate()
        made.log({"final_score": 0.77})
    assert during == [before]
    assert made.callback_handler.callbacks == before
    run = only(store)
    assert run.metrics["eval_loss"].values.tolist() == [told["eval_loss"]]
    assert run.metrics["final_score"].values.tolist() == [0.77]


CHANGED = """
import sys, warnings
import transformers
from transformers import Trainer
sys.modules["transformers"].__version__ = "9.9.9"
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from runlore_transformers import RunloreCallback
    import runlore
    runlore.autolog("transformers")
print(*[str(item.message)[:36] for item in caught if item.category.__name__ == "RunloreWarning"], sep="|")
from pathlib import Path
from tests.transformers.models import trainer
made = trainer(Path("out"), RunloreCallback(), save_strategy="steps", save_steps=3)
made.train()
"""


def test_another_version_is_warned_of_once_and_recorded(store: Store, warm_python: Any) -> None:
    told = warm_python(CHANGED, PYTHONPATH=ROOT).succeed()
    assert told.splitlines()[0] == "transformers 9.9.9 is not tested with"[:36]
    assert only(store).metrics["loss"].count == 6
