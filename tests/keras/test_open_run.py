"""`evaluate` where the numbers have no other place: of models that no run has made, and again of the same."""

import pytest

import runlore
from runlore import Store
from tests.keras.models import fit, model, rows


@pytest.mark.parametrize("follows", [False, True])
def test_an_evaluation_of_an_unknown_model_is_in_the_run_that_the_user_has_open(store: Store, follows: bool) -> None:
    """It waited for a fit that never came; that of Lightning and of transformers was in the user's run."""
    made, other = model(), model()
    x, y = rows()
    with runlore.autolog("keras"), runlore.start_run("mine"):
        told = made.evaluate(x, y, verbose=0, return_dict=True)
        second = made.evaluate(x[:8], y[:8], verbose=0, return_dict=True)
        others = other.evaluate(x, y, verbose=0, return_dict=True)
        if follows:
            fit(made)
            fit(other)
    (run,) = (run for run in store.runs() if run.name == "mine")
    assert (run.metrics["test/loss"].values.tolist(), run.metrics["test/loss"].steps.tolist()) == ([told["loss"]], [0])
    assert run.metrics["test/loss/test_2"].last == second["loss"]
    (child,) = run.children
    assert (child.metrics["test/loss"].values.tolist(), child.metrics["test/loss"].steps.tolist()) == (
        [others["loss"]],
        [0],
    )
    assert ("purpose" in child.tags) is not follows
    assert [item.metrics["loss"].count if follows else "loss" not in item.metrics for item in (run, child)] == (
        [3, 3] if follows else [True, True]
    )


def test_an_evaluation_within_a_group_waits_for_its_fold(store: Store) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"), runlore.group("cv"):
        made.evaluate(x, y, verbose=0)
        assert len(store.runs("name == 'cv'")[0].children) == 0
        fit(made)
    (child,) = store.runs("name == 'cv'")[0].children
    assert child.metrics["test/loss"].steps.tolist() == [0]


def test_the_same_weights_with_another_loss_replace_no_number(store: Store) -> None:
    made = model()
    x, y = rows()
    with runlore.autolog("keras"):
        fit(made)
        first = made.evaluate(x, y, verbose=0, return_dict=True)["loss"]
        made.compile("sgd", "mae")
        told = [made.evaluate(x, y, verbose=0, return_dict=True)["loss"] for _ in range(2)]
    metrics = store.runs()[0].metrics
    assert (metrics["test/loss"].values.tolist(), metrics["test/loss/after"].values.tolist()) == ([first], told[:1])
