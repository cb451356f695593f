"""A search for hyperparameters: one run, and a child of it for each trial."""

from collections.abc import Callable
from typing import Any

from runlore import FitSession, guest
from runlore.guest.captured import Captured
from runlore_transformers._callback import options_of
from runlore_transformers._framework import NAME
from runlore_transformers._params import carried, labels


class Search:
    """Records a call of `hyperparameter_search`."""

    def __init__(self, trainer: Any) -> None:
        tags = {**labels(trainer), "purpose": "hyperparameter search"}
        leads, options = bool(trainer.is_world_process_zero()), options_of(trainer)
        request = options.request(tags=tags, leader=leads, carried=carried(trainer))
        self._session = FitSession.begin(NAME, request)

    @guest.unseen
    def run(self, search: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call the search, in which each trial trains in a run below this one, and record the best trial."""
        session = self._session
        try:
            with session.children(search=True):
                result = search(*args, **kwargs)
        except BaseException as error:
            session.end(error)
            raise
        session.record(lambda session: _record_best(session, result))
        session.end()
        return result


def _record_best(session: FitSession, result: Any) -> None:
    """Record the values and the score of the best trial; with several objectives, of the first of the best ones."""
    best = result[0] if isinstance(result, list) else result
    if best is None:
        return
    session.params({"best": Captured({**best.hyperparameters, "trial": str(best.run_id)})})
    if isinstance(best.objective, int | float):
        session.summary({"best_objective": best.objective})
