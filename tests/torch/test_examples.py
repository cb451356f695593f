"""Examples as torch's documentation shows them: a complete record, and results that are the same bit for bit."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch

import runlore
from runlore import Store
from runlore_torch import RunloreCallback
from tests.torch.examples import EXAMPLES


def run(name: str, how: str) -> Any:
    torch.manual_seed(0)
    blocks: dict[str, Any] = {"callback": RunloreCallback, "autolog": lambda: runlore.autolog("torch")}
    with blocks.get(how, nullcontext)():
        results = EXAMPLES[name][0]()
    return results, torch.get_rng_state().tolist()


@pytest.mark.parametrize("how", ["callback", "autolog"])
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_on_record_and_unchanged(store: Store, name: str, how: str) -> None:
    plain = run(name, "plain")
    assert len(store.runs()) == 0
    assert repr(run(name, how)) == repr(plain)
    (found,) = store.runs()
    _, key, steps, epoch, params = EXAMPLES[name]
    series = found.metrics[key]
    assert found.status == "finished"
    assert series.steps.tolist() == list(range(1, len(series.steps) + 1))
    assert len(series.steps) == steps or (name == "characters" and 1 < len(series.steps) <= steps)
    assert epoch is None or series.epochs.tolist()[-1] == epoch
    assert {name: found.params[name] for name in params} == params
    if name == "characters":
        assert series.values.tolist() == pytest.approx(plain[0][1])
        assert found.metrics["lr"].values.tolist()[:2] == [0.05, 0.025]
