"""One recorded fit of an estimator, from its call to its return."""

from typing import Any, Self

from pyspark.ml import Model

from runlore import FitSession, guest
from runlore_spark._calls import calls
from runlore_spark._checkpoints import link_used
from runlore_spark._data import print_of, record_data
from runlore_spark._framework import NAME
from runlore_spark._metrics import models_in, record_numbers
from runlore_spark._owners import origins, owners
from runlore_spark._params import Given, Parts


class Training:
    """A fit that is recorded. One that is given several param maps fits a model for each, in a run below its own."""

    def __init__(self, session: FitSession, estimator: Any) -> None:
        self.session = session
        self._estimator = estimator
        self._parts: Parts | None = None
        self._trained_on: str | None = None
        self._model: Any = None

    @classmethod
    def begin(cls, estimator: Any, dataset: Any, given: Given) -> Self | None:
        """Open the run of a fit; None where it is not to be recorded."""
        before = owners().fits.get(estimator) if calls.innermost is None else None  # else of another param map
        request = guest.FitRequest(tags={"estimator": type(estimator).__name__}, after=before)
        session = FitSession.begin(NAME, request)
        if not session:
            return None
        training = cls(session, estimator)
        try:
            session.record(lambda session: training._describe(session, dataset, given))
        except BaseException as error:  # Ctrl-C meanwhile
            session.end(error)
            raise
        return training

    def _describe(self, session: FitSession, dataset: Any, given: Given) -> None:
        self._parts = parts = Parts(self._estimator, given)
        session.params(parts.recorded)
        session.record(lambda session: link_used(session, parts.items))
        record_data(session, "train", dataset)
        self._trained_on = print_of(dataset)

    def returned(self, result: Any) -> None:
        """Take what the fit returns: a model, or a list of those that have runs of their own."""
        if not isinstance(result, list):
            self._model = result
            self.take(result)

    def take(self, model: Any) -> None:
        """Record the numbers of a model that was trained in this fit, such as that of a stage, as soon as it is."""
        self.session.record(lambda session: self._take(session, model))

    def _take(self, session: FitSession, model: Any) -> None:
        name = self._parts.names.get(model.uid, "") if self._parts is not None else ""
        record_numbers(session, model, f"{name}." if name else "")

    def end(self, error: BaseException | None) -> None:
        """End the record: the fit has returned, or raised `error`."""
        owners().fits.set(self._estimator, self.session.run)
        try:
            if error is None and self._model is not None:
                self.session.record(self._conclude)
        finally:  # also when Ctrl-C comes meanwhile
            self.session.end(error)

    def _conclude(self, session: FitSession) -> None:
        given = [] if self._parts is None else list(map(id, self._parts.items))  # such as stages that stay as they are
        for model in models_in(self._model):
            if model is self._model or (isinstance(model, Model) and id(model) not in given):
                origins().note_made(model, session.run)
                if self._trained_on is not None:
                    owners().trained_on.set(model, self._trained_on)
