"""Queries, orders, columns and names that nobody would write: answered or refused in words, and soon."""

import random
import time
import warnings
from collections.abc import Callable

import pytest

from runlore import Store
from runlore.analysis.scope import well_ended
from runlore.analysis.statistics import group_runs
from runlore.analysis.tables import read_table
from runlore.errors import MissingDependency, RunloreError
from tests.fuzz import inputs
from tests.fuzz.queries import FIELDS, query_of

FEW = 400
MAX_S = 5.0  # of the processor


@pytest.fixture
def asked(store: Store) -> Store:
    for number in range(4):
        params = {"lr": number / 10, "model": "a" * 40 + "!", "x y": 2**70, "\U0001f600": "é" * 3000}
        with store.start_run(f"run-{number}", params=params, tags={"team": "%_"}) as run:
            run.log_metrics({"loss": 1.0, "a.b": 2.0}, step=1)
            run.log_summary({"t": 1.5})
    store.runs()
    return store


def ask(store: Store, luck: random.Random) -> None:
    text = query_of(luck, luck.choice([0, 1, 1, 2, 3, 5]))
    ways: list[Callable[[], object]] = [
        lambda: store.runs(text),
        lambda: store.runs(text),
        lambda: store.runs(text),
        lambda: store.runs(sort=luck.choice(["", "-"]) + text),
        lambda: store.runs("name != ''", sort=",".join(luck.choice(FIELDS) for _ in range(luck.randrange(12)))),
        lambda: read_table(store, "", [luck.choice([text, *FIELDS]) for _ in range(luck.choice([1, 5, 45, 230]))]),
        lambda: store.check_query(text),
        lambda: store.run(text[: luck.choice([1, 3, 70, 60_000])]),
        lambda: group_runs(store, "", luck.choice([text, "loss"]), [luck.choice([text, *FIELDS])]),
        lambda: well_ended(store, text, text, [luck.choice(FIELDS)]),
    ]
    luck.choice(ways)()


def test_every_question_is_answered_or_refused_in_words_and_soon(asked: Store) -> None:
    place = asked.index.path
    for number in inputs(FEW):
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                ask(asked, random.Random(number))
            except MissingDependency:
                raise
            except RunloreError as error:
                assert len(str(error)) < 65_000, number
            except Exception as error:
                raise AssertionError(f"input {number}") from error
        assert time.process_time() - began < MAX_S, number
        assert asked.index.path == place is not None, number
    assert len(asked.runs()) == 4
