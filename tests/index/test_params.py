"""Params in the index: the same rows whether SQLite reads them of a text or Python makes them, side by side by key."""

import math
import pathlib
from decimal import Decimal
from typing import Any

import pytest

from runlore import Store
from runlore.index import database, rows
from runlore.index.keys import count_keys
from runlore.index.rows import value_columns
from runlore.log.record import read_record

ODD: dict[str, Any] = {
    "int": 7, "zero": 0, "negative": -3, "least": -(2**63), "most": 2**63 - 1, "beyond": 2**63, "far": 10**30,
    "true": True, "false": False, "none": None, "float": 0.1 + 0.2, "whole": 2.0, "tiny": 5e-324, "nan": math.nan,
    "infinite": -math.inf, "text": "adam", "empty": "", "number": "12", "list": [1, "x"], "é ü": "ß",
    "decimal": Decimal("0.1"), "huge": Decimal("1e999999999"), "object": pathlib.PurePosixPath("a"),
}  # fmt: skip
ESCAPED = {'a"b': 1, "back\\slash": "\\u0000", "zero": "a\0b", "lines": "one\ntwo", "word": "NaN and Infinity"}


def stored(store: Store) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Kind, number and text of each param, by run and key."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    sql = "SELECT r.id, p.key, p.kind, p.num, p.text FROM params p JOIN runs r ON r.n = p.run"
    for run_id, key, *columns in store.ask(lambda asked: asked.query(sql)):
        found.setdefault(run_id, {})[key] = tuple(columns)
    return found


@pytest.mark.parametrize("params", [ODD, ESCAPED, ODD | ESCAPED, {}])
def test_each_param_is_the_row_that_its_value_makes(store: Store, params: dict[str, Any]) -> None:
    with store.start_run(params=params) as run:
        pass
    record, _ = read_record(store.folder, run.id)
    expected = {key: value_columns(value) for key, value in record.params.items()}
    assert stored(store).get(run.id, {}) == expected
    assert len(expected) == len(params)


def test_runs_of_many_parts_are_found_changed_and_removed(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a store of more runs than one part holds."""
    monkeypatch.setattr(database, "PART_RUNS", 1)
    monkeypatch.setattr("runlore.index.sql.PART_OF_RUN", "(r.n - 1) / 1")
    monkeypatch.setattr(rows, "TOLD_PARAMS", rows.TOLD_PARAMS.replace("/ 256", "/ 1"))
    runs = [store.start_run(f"run-{number}", params={"n": number, "x": number / 2}) for number in range(5)]
    for run in runs[:4]:
        run.finish()
    names = ["run-4", "run-3", "run-2"]
    assert [run.name for run in store.runs("params.n >= 2")] == names
    assert [run.name for run in store.runs("params.x > 0.5", sort="-params.x", limit=2)] == names[:2]
    assert [run.name for run in store.runs("params.n < params.x or params.n == 3", sort="params.n")] == ["run-3"]
    assert store.ask(lambda asked: asked.query("SELECT part FROM parts")) == [(part,) for part in range(5)]
    runs[4].log_params({"late": 1})
    runs[4].finish()
    assert [run.name for run in store.runs("params.late == 1 and params.n == 4")] == ["run-4"]
    for path in store.root.glob(f"runs/*/*/{runs[3].id}.*"):
        path.unlink()
    assert {key: value[1] for key, value in stored(store)[runs[4].id].items()} == {"n": 4, "x": 2, "late": 1}
    assert runs[3].id not in stored(store)
    assert store.ask(count_keys)["params"] == {"late": 1, "n": 4, "x": 4}
