"""What params tell of a metric: which of them are looked at, how they are told apart, and by whom they are measured."""

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import scipy.stats

from runlore import Store, hookimpl
from runlore.analysis.importance import MAX_PARAMS, MIN_RUNS, rank_params
from runlore.errors import MissingDependency, QueryError
from runlore.hookspecs import Importance

Columns = Mapping[str, Sequence[float]]


class Measure:
    """Answers that a column tells as much as it has different values, and keeps what it was asked."""

    columns: Columns
    values: Sequence[float]

    @hookimpl
    def runlore_measure_importance(self, columns: Columns, values: Sequence[float]) -> Importance:
        self.columns, self.values = columns, values
        return Importance({key: len(set(column)) - 3.0 for key, column in columns.items()}, 0.5)


class Lacking:
    @hookimpl
    def runlore_measure_importance(self) -> Importance:
        raise MissingDependency("needs what is not here: pip install it")


def sweep(store: Store, count: int, **more: Any) -> dict[str, list[Any]]:
    """Runs with a param of numbers, one of texts, and further ones by functions of the number of the run."""
    chance = random.Random(0)
    found: dict[str, list[Any]] = {"lr": [], "acc": []}
    for number in range(count):
        lr, acc = chance.choice([0.1, 0.2, 0.3, 0.4, 0.5]), chance.random()
        params = {"lr": lr, "model": ["cnn", "mlp", "vit"][number % 3], **{key: of(number) for key, of in more.items()}}
        with store.start_run(f"run-{number}", params=params) as run:
            run.log_metrics({"acc": acc}, 0)
        found["lr"].append(lr)
        found["acc"].append(acc)
    return found


def test_params_are_measured_as_columns_of_numbers(store: Store, plug: Any) -> None:
    measure = plug(Measure())
    made = sweep(store, 12, some=lambda number: None if number % 2 else number, name=lambda number: f"x{number}")
    found = rank_params(store, "", "acc")
    assert (found.metric, found.runs, found.of, found.explained, found.why) == ("metrics.acc", 12, 12, 0.5, None)
    assert measure.columns["lr"] == made["lr"]
    assert measure.columns["model"] == [0.0, 1.0, 2.0] * 4
    assert [value for value in measure.columns["some"] if not math.isnan(value)] == [0, 2, 4, 6, 8, 10]
    assert set(measure.columns) == {"lr", "model", "some"}, "a name of its own in every run tells nothing"
    order = sorted(made["acc"])
    assert measure.values == [order.index(value) for value in made["acc"]]
    shares = {item.field: item.importance for item in found.params}
    assert shares["params.model"] == 0
    assert sum(share or 0 for share in shares.values()) == pytest.approx(1)


def test_the_correlation_is_that_of_scipy(store: Store, plug: Any) -> None:
    plug(Measure())
    made = sweep(store, 15)
    known = {item.field: item for item in rank_params(store, "", "acc").params}
    expected = scipy.stats.spearmanr(made["lr"], made["acc"]).statistic
    assert known["params.lr"].correlation == pytest.approx(expected)
    assert known["params.model"].correlation is None


def test_params_that_change_together_are_one(store: Store, plug: Any) -> None:
    measure = plug(Measure())
    sweep(store, 12, width=lambda number: 2 ** (number % 3))
    found = rank_params(store, "", "acc")
    assert set(measure.columns) == {"lr", "model"}
    assert {item.field: item.alike for item in found.params}["params.model"] == ("params.width",)


def test_of_many_params_some_are_looked_at(store: Store, plug: Any) -> None:
    measure = plug(Measure())
    chance = random.Random(2)
    sweep(store, 12, **{f"p{place}": lambda _: chance.randint(1, 9) for place in range(30)})
    found = rank_params(store, "", "acc")
    assert len(measure.columns) == MAX_PARAMS == len(found.params)
    assert found.beyond > 0
    assert "lr" in measure.columns


def test_it_is_said_why_nothing_is_measured(store: Store, plug: Any) -> None:
    plug(Lacking())
    sweep(store, MIN_RUNS - 1)
    found = rank_params(store, "", "acc")
    assert found.why == "too few runs to tell importance from chance: 9, and 10 are needed"
    assert [item.importance for item in found.params] == [None, None]
    assert found.params[0].field == "params.lr", "its correlation is known all the same"
    sweep(store, 1)
    assert rank_params(store, "", "acc").why == "needs what is not here: pip install it"
    assert rank_params(store, "", "duration").why is not None
    with pytest.raises(QueryError, match="metrics"):
        rank_params(store, "", "metrics.(")


def test_nan_is_no_value_and_a_diverged_run_is_the_last(store: Store, plug: Any) -> None:
    measure = plug(Measure())
    sweep(store, 12)
    for value in (math.nan, math.inf):
        with store.start_run(params={"lr": 0.1, "model": "cnn"}) as run:
            run.log_metrics({"acc": value}, 0)
    assert rank_params(store, "", "acc").runs == 13
    assert max(measure.values) == measure.values[-1] == 12
