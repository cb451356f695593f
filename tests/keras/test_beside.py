"""What is evaluated within the fit of another model."""

from typing import Any

import keras
import pytest

from runlore import Store
from runlore_keras import RunloreCallback
from tests.keras.models import fit, model, only, rows, when


def test_what_is_evaluated_within_a_fit_of_another_model_has_its_name(store: Store) -> None:
    """It was lost without a word: a teacher's, the second model of a GAN."""
    x, y = rows()
    teacher, other = model(name="teacher"), model(name="critic")
    fit(teacher, RunloreCallback("teacher"))
    told: list[float] = []

    def evaluate(*_: Any) -> None:
        told.append(teacher.evaluate(x, y, verbose=0)[0])
        other.evaluate(x, y, verbose=0)
        model(name="critic").evaluate(x[:8], y[:8], verbose=0)
        copy = model(name="average")  # made anew each time
        copy.evaluate(x, y, verbose=0)

    fit(model(), RunloreCallback("student"), keras.callbacks.LambdaCallback(on_epoch_end=evaluate), epochs=2)
    run, taught = store.runs()
    series = run.metrics["test/loss/teacher"]
    assert (series.steps.tolist(), series.epochs.tolist(), series.split) == ([2, 4], [0, 1], "test")
    assert series.values.tolist() == pytest.approx(told)
    assert run.metrics["test/loss/critic"].steps.tolist() == [2, 4]
    assert run.metrics["test/loss/test_2/critic_2"].steps.tolist() == [2, 4]
    assert run.metrics["test/mae/average"].steps.tolist() == [2, 4]
    assert [(link["kind"], link["run"]) for link in run.links] == [("uses", taught.id)]
    assert "test/loss" not in run.metrics
    assert not [key for key in taught.metrics if "/" in key]


def test_the_validation_of_a_fit_within_another_is_a_part_of_that(store: Store) -> None:
    fit(model(), RunloreCallback(), when(0, lambda: fit(model(), validation_split=0.5)), epochs=1)
    assert set(only(store).metrics) == {"loss", "mae", "learning_rate"}
