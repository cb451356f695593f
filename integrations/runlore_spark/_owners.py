"""The run or the file that models, and the predictions that they made, come from."""

import weakref
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runlore import guest
from runlore.guest.additions import Origins
from runlore.guest.wrapping import ByIdentity, Written

MAX_COLUMNS = 1_000  # that models have made, which are known


@dataclass(frozen=True)
class Prediction:
    """A DataFrame that a model has made: of which run or file the model is, and of what it was made.

    `print` tells the DataFrame from others that the model was given, and `trained_on` the one that it was fitted on.
    """

    run: Any
    file: Path | None
    dataset: "weakref.ref[Any]"
    print: str
    trained_on: str | None
    written: Written


class Owners(guest.Part):
    """Knows the fits of estimators, and which columns their models have made. Threads may share it."""

    inherited = True

    def __init__(self) -> None:
        self.fits: ByIdentity[Any] = ByIdentity()  # the runs of the last ones, by estimator
        self.trained_on: ByIdentity[str] = ByIdentity()  # by model
        self._predictions: OrderedDict[int, Prediction] = OrderedDict()  # by the numbers of columns

    def note(self, numbers: Iterable[int], prediction: Prediction) -> None:
        """Note the columns that a model has made."""
        self._predictions.update(dict.fromkeys(numbers, prediction))
        while len(self._predictions) > MAX_COLUMNS:
            self._predictions.popitem(last=False)

    def prediction(self, columns: Mapping[str, int], read: Iterable[str]) -> Prediction | None:
        """Return what made the columns of a DataFrame that somebody reads; None where no known model did."""
        numbers = [columns[name] for name in read if name in columns]
        return next((self._predictions[number] for number in numbers if number in self._predictions), None)

    def __bool__(self) -> bool:
        return bool(self._predictions)


def owners() -> Owners:
    """Return what this process knows of fits and predictions."""
    return guest.part(Owners)


def origins() -> Origins:
    """Return what this process knows of models."""
    return guest.part(Origins)
