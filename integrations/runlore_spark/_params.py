"""Params: those of an estimator as Spark resolves them, and those of its parts: stages, what is tuned, evaluators."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pyspark.ml import Estimator, Pipeline
from pyspark.ml.param import Param, Params

from runlore.guest.captured import Captured

FEATURES = "pyspark.ml.feature"  # the module of estimators that prepare data

Given = Mapping[Any, Any]  # values by Param, as a call of `fit` is given them


class Parts:
    """An estimator and all that its params hold, by the name that each has in the record: that of its class.

    The estimator itself has none. A second part of a class has a number: `StringIndexer_1`.
    """

    def __init__(self, root: Any, given: Given) -> None:
        self._given = given
        self.names: dict[str, str] = {}  # by uid
        self.items: list[Any] = []
        self._take(root, "")

    def _take(self, item: Any, name: str) -> None:
        self.names[item.uid] = name
        self.items.append(item)
        for param in item.params:
            for part in _parts_in(self.value(item, param)):
                if part.uid not in self.names:
                    self._take(part, self._name(type(part).__name__))

    def _name(self, kind: str) -> str:
        count = sum(type(item).__name__ == kind for item in self.items[1:])
        return f"{kind}_{count}" if count else kind

    def value(self, item: Any, param: Any) -> Any:
        """Return the value that a param has in the fit; None where it has none."""
        if param in self._given:
            return self._given[param]
        return item.getOrDefault(param) if item.isDefined(param) else None

    def name_of(self, param: Any) -> str:
        """Return the name that a param has in the record."""
        owner = self.names.get(param.parent, "")
        return f"{owner}.{param.name}" if owner else str(param.name)

    def readable(self, value: Any) -> Any:
        """Return a value as it is recorded: parts by their names, numbers of numpy as Python's."""
        if isinstance(value, Params):
            return self.names.get(value.uid, type(value).__name__)
        if isinstance(value, np.generic | np.ndarray):
            return value.tolist()
        if isinstance(value, list | tuple):
            return [self.readable(item) for item in value]
        if isinstance(value, dict):
            return {self.name_of(key) if isinstance(key, Param) else key: self.readable(value[key]) for key in value}
        return value

    def recorded(self) -> dict[str, Any]:
        """Return all params by name, those that are defaults as captured."""
        found = {}
        for item in self.items:
            for param in item.params:
                value = self.value(item, param)
                if value is not None:
                    is_passed = param in self._given or item.isSet(param)
                    found[self.name_of(param)] = self.readable(value) if is_passed else Captured(self.readable(value))
        return found


def makes_a_run(estimator: Any, given: Given) -> bool:
    """Return True if a fit makes a run: that of all estimators, and pipelines of them, but those that prepare data."""
    try:
        found = [item for item in Parts(estimator, given).items if isinstance(item, Estimator)]
    except Exception:  # a user's own class may raise anything when it is asked; the fit will tell
        return True
    return any(not isinstance(item, Pipeline) and type(item).__module__ != FEATURES for item in found)


def _parts_in(value: Any) -> Iterator[Any]:
    """Yield the parts of an estimator that a param holds: one, or a list of them."""
    for item in value if isinstance(value, list | tuple) else (value,):
        if isinstance(item, Params):
            yield item


def maps_of(parts: Parts, search: Any) -> Sequence[Given]:
    """Return the candidates of a search."""
    found: Sequence[Given] = parts.value(search, search.estimatorParamMaps) or []
    return found
