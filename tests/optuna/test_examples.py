"""Examples as Optuna's documentation shows them: a complete record, and results that are the same bit for bit."""

import random
from typing import Any

import numpy as np
import optuna
import pytest

import runlore
from runlore import Store
from runlore_optuna import RunloreCallback
from tests.optuna.examples import EXAMPLES


def run(name: str, how: str) -> Any:
    random.seed(0)
    np.random.seed(0)
    callbacks = [RunloreCallback()] if how == "callback" else []
    with runlore.autolog("optuna") if how == "autolog" else pytest.MonkeyPatch.context():
        results = EXAMPLES[name](callbacks)
    return results, random.getstate(), str(np.random.get_state(legacy=False))


@pytest.mark.parametrize("how", ["callback", "autolog"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_on_record_and_unchanged(store: Store, name: str, how: str) -> None:
    plain = run(name, "plain")
    assert len(store.runs()) == 0
    assert repr(run(name, how)) == repr(plain)
    (study,) = store.runs("parent is None")
    trials = {int(child.tags["trial"]): child for child in study.children}
    ran = [
        item for item in plain[0] if len(item) > 1 and not (name == "ask_and_tell" and item[0] == 1)
    ]  # one was added
    assert sorted(trials) == [item[0] for item in ran]
    for number, state, params, values, points, attributes, *_ in ran:
        child = trials[number]
        assert child.tags["state"] == state.name
        assert {key: child.params[key] for key in params} == params
        if points:
            assert child.metrics["intermediate_value"].values.tolist() == list(points.values())
        if state is optuna.trial.TrialState.COMPLETE:
            names = ["value"] if len(values) == 1 else ["value_0", "value_1"]
            assert [child.metrics[key].values.tolist() for key in names] == [[value] for value in values]
        assert {key: child.tags[f"user_attrs.{key}"] for key in attributes} == attributes
