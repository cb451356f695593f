"""Params in the index: their rows are made when they are asked for, and are those that their values make."""

import fcntl
import math
import pathlib
import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest

from runlore import Store, open_store
from runlore.analysis.tables import read_table
from runlore.errors import RunloreWarning
from runlore.index import keys
from runlore.index.database import Sqlite
from runlore.index.fields import Field
from runlore.index.keys import count_keys, require_params
from runlore.index.rows import value_columns
from runlore.log.record import read_record

ODD: dict[str, Any] = {
    "int": 7, "zero": 0, "negative": -3, "least": -(2**63), "most": 2**63 - 1, "beyond": 2**63, "far": 10**30,
    "true": True, "false": False, "none": None, "float": 0.1 + 0.2, "whole": 2.0, "tiny": 5e-324, "nan": math.nan,
    "infinite": -math.inf, "text": "adam", "empty": "", "number": "12", "list": [1, "x"], "é ü": "ß",
    "decimal": Decimal("0.1"), "huge": Decimal("1e999999999"), "object": pathlib.PurePosixPath("a"),
}  # fmt: skip
ESCAPED = {'a"b': 1, "back\\slash": "\\u0000", "zero": "a\0b", "lines": "one\ntwo", "word": "NaN and Infinity"}


def rows(asked: Sqlite) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Kind, number and text of each param that has a row, by run and key."""
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    sql = "SELECT r.id, p.key, p.kind, p.num, p.text FROM params p JOIN runs r ON r.n = p.run"
    for run_id, key, *columns in asked.query(sql):
        found.setdefault(run_id, {})[key] = tuple(columns)
    return found


def listed(store: Store, keys: Iterable[str]) -> dict[str, dict[str, tuple[Any, ...]]]:
    """Ask for some keys, and return what rows there are then."""

    def question(asked: Sqlite) -> dict[str, dict[str, tuple[Any, ...]]]:
        require_params(asked, [Field.of_key("params", key) for key in keys])
        return rows(asked)

    return store.ask(question)


def expected(store: Store, run_id: str) -> dict[str, tuple[Any, ...]]:
    record, _ = read_record(store.folder, run_id)
    return {key: value_columns(value) for key, value in record.params.items() if value is not None}


@pytest.mark.parametrize("params", [ODD, ESCAPED, ODD | ESCAPED, {}])
@pytest.mark.parametrize("together", [True, False])
def test_each_param_asked_for_is_the_row_that_its_value_makes(
    store: Store, params: dict[str, Any], together: bool
) -> None:
    with store.start_run(params=params) as before:
        pass
    for some in [list(params)] if together else [[key] for key in params]:
        listed(store, some)
    with store.start_run(params=params) as behind:
        pass
    found = listed(store, ())
    for run in (before, behind):
        assert found.get(run.id, {}) == expected(store, run.id)
    assert len(expected(store, before.id)) == len(params) - ("none" in params)


def test_only_params_asked_for_have_rows(store: Store) -> None:
    with store.start_run(params={"n": 1, "x": 0.5, "far": [1]}):
        pass
    assert [list(of_run) for of_run in listed(store, []).values()] == [["far"]]  # its text does not tell all
    assert len(store.runs("params.n == 1")) == 1
    page = read_table(store, columns=["params.x", "params.far"])
    assert page.rows[0].values == (0.5, "[1]")  # a page's rows are read of the runs themselves
    assert [sorted(of_run) for of_run in listed(store, []).values()] == [["far", "n"]]
    with pytest.warns(RunloreWarning, match="no run has params.none_such"):
        assert not store.runs("params.none_such == 1")
    assert store.ask(lambda asked: asked.query("SELECT key FROM asked")) == [("n",)]


@pytest.mark.parametrize("part", [1, 2, 100])
def test_runs_are_found_changed_and_removed(store: Store, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "PART", part)
    runs = [store.start_run(f"run-{number}", params={"n": number, "x": number / 2}) for number in range(5)]
    for run in runs[:4]:
        run.finish()
    names = ["run-4", "run-3", "run-2"]
    assert [run.name for run in store.runs("params.n >= 2")] == names
    assert [run.name for run in store.runs("params.x > 0.5", sort="-params.x", limit=2)] == names[:2]
    assert [run.name for run in store.runs("params.n < params.x or params.n == 3", sort="params.n")] == ["run-3"]
    runs[4].log_params({"late": 1})
    runs[4].finish()
    assert [run.name for run in store.runs("params.late == 1 and params.n == 4")] == ["run-4"]
    for path in store.root.glob(f"runs/*/*/{runs[3].id}.*"):
        path.unlink()
    found = listed(store, [])
    assert {key: value[1] for key, value in found[runs[4].id].items()} == {"n": 4, "x": 2, "late": 1}
    assert runs[3].id not in found
    assert store.ask(count_keys)["params"] == {"late": 1, "n": 4, "x": 4}


def test_while_another_process_is_writing_a_question_lists_params_for_itself(store: Store) -> None:
    for number in range(3):
        store.start_run(params={"n": number, "x": number}).finish()
    assert len(store.runs("params.n > 0")) == 2
    reader = open_store(store.root)
    with (store.root / "index-v1.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert len(reader.runs("params.x > 0 and params.n > 1", sort="params.x")) == 1
        assert reader.ask(lambda asked: asked.query("SELECT key FROM asked")) == [("n",)]
    assert len(reader.runs("params.x > 0")) == 2
    assert reader.ask(lambda asked: asked.query("SELECT key FROM asked")) == [("n",), ("x",)]


def test_a_question_that_lists_params_looks_for_changes_once(store: Store) -> None:
    looks = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal looks
        looks += event == "os.scandir"

    sys.addaudithook(hook)
    store.start_run(params={"n": 1, "x": 1}).finish()
    found = []
    for where in ("", "params.n == 1", "params.x == 1 and params.n == 1", ""):
        before = looks
        assert len(store.runs(where)) == 1
        found.append(looks - before)
    assert found[1] == found[2] == found[3] > 0
