"""Params: any object is recorded as far as it can be, and none costs its neighbours."""

import enum
import json
import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import Store
from runlore.log.values import describe, flatten, text_of


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Color(enum.IntEnum):
    RED = 3


def recorded(store: Store, params: dict[Any, Any]) -> dict[str, Any]:
    with store.start_run(params=params) as run:
        pass
    return store.run(run.id).params


def test_a_list_that_holds_mappings_comes_back_as_its_text(store: Store) -> None:
    with store.start_run("listed", params={"metrics": [{"name": "auc"}], "sizes": [1, 2]}):
        pass
    (run,) = store.runs()
    assert run.params == {"metrics": "[{'name': 'auc'}]", "sizes": [1, 2]}
    assert store.run("listed").params == run.params


def test_plain_values_come_back_as_themselves(store: Store) -> None:
    params = {"i": 3, "f": 0.1, "t": True, "n": None, "s": "text", "big": 2**200, "inf": math.inf}
    assert recorded(store, params) == params
    assert math.isnan(recorded(store, {"nan": math.nan})["nan"])


def test_nested_mappings_get_dotted_keys(store: Store) -> None:
    assert recorded(store, {"model": {"depth": 3, "act": {"name": "relu"}}, "empty": {}, 7: 1}) == {
        "model.depth": 3, "model.act.name": "relu", "empty": "{}", "7": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (np.float32(0.5), "0.5"),
        (np.int64(3), "3"),
        (np.bool_(True), "True"),
        (Color.RED, "3"),
        ([1, 2.5, "a"], '[1, 2.5, "a"]'),
        ((1, 2), "[1, 2]"),
        (math.sin, "math.sin"),
        (threading.Thread, "threading.Thread"),
        (Path("a/b"), "PosixPath('a/b')"),
        ({1}, "{1}"),
    ],
)
def test_other_objects_are_described(value: Any, text: str) -> None:
    assert text_of(describe(value)) == text


def test_addresses_are_left_out_so_that_equal_runs_look_equal() -> None:
    assert text_of(describe(object())) == "<object object>"


def test_a_broken_value_costs_only_itself(store: Store) -> None:
    params = recorded(store, {"before": 1, "broken": Broken(), "list": [Broken()], "after": 2})
    assert (params["before"], params["after"]) == (1, 2)
    assert "RuntimeError" in params["broken"]


def test_a_huge_value_is_cut_and_its_hash_kept() -> None:
    value = describe("x" * 1_000_000)
    assert isinstance(value, dict)
    assert (len(value["text"]), value["length"], len(value["sha256"])) == (1025, 1_000_000, 64)
    assert len(json.dumps(describe(list(range(100_000))))) < 3_000


def test_a_mapping_that_contains_itself_ends() -> None:
    loop: dict[str, Any] = {"a": 1}
    loop["self"] = loop
    assert flatten(loop)["a"] == 1


def test_odd_text_survives_the_disk(store: Store) -> None:
    odd = {"nul": "a\0b", "line": "a\nb", "\u202e": "rtl", "emoji": "🙂"}
    assert recorded(store, odd) == odd
    assert recorded(store, {"half": "a\udc80"}) == {"half": "a\\udc80"}
