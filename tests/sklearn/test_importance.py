"""The importance of params by random forests, for the page."""

import random
from collections.abc import Callable

from runlore import Store
from runlore.analysis.importance import rank_params
from runlore_sklearn._importance import measure
from tests.process import Process

WITHOUT = """
import sys
sys.modules["sklearn"] = None
from runlore import Store
from runlore.analysis.importance import rank_params
print(rank_params(Store({root!r}), "", "acc").why)
"""


def sweep(store: Store) -> None:
    """Runs of which one param decides, and one that has missing values does nothing."""
    chance = random.Random(1)
    for number in range(40):
        lr, width = chance.choice([0.1, 0.2, 0.3]), chance.choice([None, 16, 32])
        with store.start_run(params={"lr": lr, "model": chance.choice(["cnn", "mlp"]), "width": width}) as run:
            run.log_metrics({"acc": lr + chance.random() / 20, "noise": chance.random()}, number)


def test_the_param_that_decides_is_the_most_important(store: Store) -> None:
    sweep(store)
    found = rank_params(store, "", "acc")
    assert found.why is None
    assert found.explained is not None
    assert found.explained > 0.5
    assert found.params[0].field == "params.lr"
    assert (found.params[0].importance or 0) > 0.8
    chance = rank_params(store, "", "noise").explained
    assert chance is not None
    assert chance < 0.2, "measured on runs that no forest has seen, noise explains nothing"


def test_the_same_runs_have_the_same_importance(autologged: Store) -> None:
    """And forests that are fitted for it are no runs."""
    sweep(autologged)
    before = len(autologged.runs())
    assert rank_params(autologged, "", "acc") == rank_params(autologged, "", "acc")
    assert len(autologged.runs()) == before


def test_it_ends_once_its_time_is_up() -> None:
    columns = {"a": [float(number % 7) for number in range(50)]}
    whole, short = (measure(columns, columns["a"], seconds) for seconds in (60, 0))
    assert whole.explained > 0.9
    assert short.explained > 0.9
    assert short.lost != whole.lost


def test_without_scikit_learn_it_is_said_how_to_get_it(store: Store, python: Callable[..., Process]) -> None:
    sweep(store)
    said = python(WITHOUT.format(root=str(store.root))).succeed()
    assert said.strip() == "the importance of params needs scikit-learn: pip install 'runlore[sklearn]'"
