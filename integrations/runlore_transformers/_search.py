"""A search for hyperparameters: a run, and below it one for each trial."""

from collections.abc import Callable
from typing import Any

from runlore import FitSession, guest
from runlore_transformers import _params
from runlore_transformers.plugin import NAME


class Search:
    """A call of `hyperparameter_search`."""

    def __init__(self, trainer: Any, listener: Any) -> None:
        labels = _params.labels(trainer)
        self._session = FitSession.begin(
            NAME,
            listener.options.request(
                tags={**labels, "purpose": "hyperparameter search"}, leader=bool(trainer.is_world_process_zero())
            ),
        )

    @guest.unseen
    def run(self, search: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Search; each trial trains within it."""
        session = self._session
        try:
            with session.children():
                result = search(*args, **kwargs)
        except BaseException as error:
            session.end(error)
            raise
        session.record(lambda session: _record_best(session, result))
        session.end()
        return result


def _record_best(session: FitSession, result: Any) -> None:
    """The best trial; of several objectives, the first of the best ones."""
    best = result[0] if isinstance(result, list) else result
    if best is None:
        return
    session.params({"best": {**best.hyperparameters, "trial": str(best.run_id)}})
    if isinstance(best.objective, int | float):
        session.summary({"best_objective": best.objective})
