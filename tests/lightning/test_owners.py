"""Which run a trainer and its module belong to behind the fit."""

from runlore import Store
from runlore_lightning import RunloreCallback
from tests.lightning.models import Tiny, data, trainer


def test_a_second_fit_is_a_second_run_linked_to_the_first(store: Store) -> None:
    t = trainer(RunloreCallback(), max_epochs=1)
    model = Tiny()
    t.fit(model, data())
    t.fit_loop.max_epochs = 2
    t.fit(model, data())
    second, first = store.runs()
    assert second.links == [{"kind": "refit_of", "run": first.id}]
