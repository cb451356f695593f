"""Params: any object is recorded as far as it can be, and none costs its neighbours."""

import enum
import json
import math
import os
import subprocess
import sys
import threading
import time
from argparse import Namespace
from collections import UserList, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Optional
from uuid import UUID
from zoneinfo import ZoneInfo

import attrs
import numpy as np
import pandas
import pydantic
import pytest
import torch
from packaging.version import Version

from runlore import Store
from runlore.log.values import describe, flatten, text_of


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


class Color(enum.IntEnum):
    RED = 3


class Speed(enum.Enum):
    SLOW = "s"


class Computed(UserList[Any]):
    """A list whose items are made when they are asked for, as OmegaConf's are."""

    def __getitem__(self, place: Any) -> Any:
        if self.data[place] == "???":
            raise ValueError("a hole")
        return self.data[place]

    def __repr__(self) -> str:
        return "['hole']"


class Sizes(tuple[int, ...]):
    """As torch.Size is one."""


def recorded(store: Store, params: object) -> dict[str, Any]:
    with store.start_run(params=params) as run:
        pass
    return store.run(run.id).params


def test_a_list_that_holds_mappings_comes_back_as_its_text(store: Store) -> None:
    with store.start_run("listed", params={"metrics": [{"name": "auc"}], "sizes": [1, 2]}):
        pass
    (run,) = store.runs()
    assert run.params == {"metrics": "[{'name': 'auc'}]", "sizes": [1, 2]}
    assert store.run("listed").params == run.params


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ([Path("a/b.csv"), "c.csv"], ["a/b.csv", "c.csv"]),
        ((Speed.SLOW, 1), ["SLOW", 1]),
        ([np.int64(3), np.float32(0.1)], [3, 0.1]),
        ([[Decimal("0.10")], None], [["0.10"], None]),
        ({Path("b"), Path("a")}, ["a", "b"]),
        (deque([1, "a"]), [1, "a"]),
        (Computed([64, 0.1, Computed([2])]), [64, 0.1, [2]]),
        (Sizes([1, 2]), [1, 2]),
        ([np.datetime64("2026-11-28", "ns")], ["2026-11-28T00:00:00.000000000"]),
    ],
)
def test_a_list_of_what_people_write_comes_back_as_such_a_list(store: Store, value: Any, found: list[Any]) -> None:
    """It was one text, of which nobody could know the spelling."""
    assert recorded(store, {"x": value}) == {"x": found}


def test_plain_values_come_back_as_themselves(store: Store) -> None:
    params = {"i": 3, "f": 0.1, "t": True, "n": None, "s": "text", "big": 2**200, "inf": math.inf}
    assert recorded(store, params) == params
    assert math.isnan(recorded(store, {"nan": math.nan})["nan"])


def test_nested_mappings_get_dotted_keys(store: Store) -> None:
    assert recorded(store, {"model": {"depth": 3, "act": {"name": "relu"}}, "empty": {}, 7: 1}) == {
        "model.depth": 3, "model.act.name": "relu", "empty": "{}", "7": 1,
    }  # fmt: skip


class Slotted:
    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        self.size = size


def test_a_param_whose_key_another_has_taken_is_told(store: Store) -> None:
    """One of two values was lost without a word."""
    with store.start_run("x", params={"opt": {"lr": 1}, "opt.lr": 2, 1: "a", "1": "b", "rest": 0}) as run:
        run.set_tags({"a": {"b": "c"}, "a.b": "d"})
        run.log_summary({"s": {"t": 1}, "s.t": 2})
    found = store.run("x")
    assert found.params == {"opt.lr": 2, "1": "b", "rest": 0}
    named = [item["what"] for item in found.missing if item["why"].startswith("is named twice")]
    assert sorted(named) == ["param 1", "param opt.lr", "summary s.t", "tag a.b"]


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
        (Path("a/b"), "a/b"),
        ({10, 9}, "[10, 9]"),
        (frozenset("ba"), '["a", "b"]'),
        (Speed.SLOW, "SLOW"),
        (Decimal("0.10"), "0.10"),
        (datetime(2026, 11, 28, 12, 0), "2026-11-28 12:00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (np.datetime64("2026-11-28", "ns"), "2026-11-28T00:00:00.000000000"),
        (np.timedelta64(3, "s"), "3 seconds"),
        (Computed([1, "???"]), "['hole']"),
        (bytearray(b"a"), "bytearray(b'a')"),
        (b"a", "b'a'"),
        (ip_network("10.0.0.0/8"), "10.0.0.0/8"),
        (UTC, "UTC"),
        (ZoneInfo("Europe/Berlin"), "Europe/Berlin"),
        (torch.device("cuda", 0), "cuda:0"),
        (np.dtype("f4"), "float32"),
        ([Version("2.1.0")], '["2.1.0"]'),
        (np.complex64(1 + 2j), "(1+2j)"),
        (list[int], "list[int]"),
        (Optional[int], "typing.Optional[int]"),  # noqa: UP045
        (pandas.Interval(0, 5), "Interval(0, 5, closed='right')"),  # its str is (0, 5]
        (Slotted(3), f"{Slotted.__module__}.Slotted(size=3)"),
        (
            [{"kinds": {"b", "a"}, "path": Path("a/b"), "speed": Speed.SLOW}],
            "[{'kinds': ['a', 'b'], 'path': 'a/b', 'speed': 'SLOW'}]",
        ),
    ],
)
def test_other_objects_are_described(value: Any, text: str) -> None:
    assert text_of(describe(value)) == text


class Handle:
    def __repr__(self) -> str:
        return f"<Handle({hex(id(self))})>"


MAKERS = [object, Handle, lambda: [object()], lambda: {Handle()}, lambda: partial(print, Handle())]


@pytest.mark.parametrize("make", MAKERS)
def test_addresses_are_left_out_so_that_equal_runs_look_equal(make: Callable[[], Any]) -> None:
    first, second = make(), make()
    assert describe(first) == describe(second)


class Crop:
    def __init__(self, size: object, *more: int, then: object = None) -> None:
        self.size, self.more, self.then = size, more, then
        self.calls = id(self)


def test_an_object_without_a_text_of_its_own_is_told_by_the_arguments_that_it_keeps() -> None:
    """Two of other sizes looked equal."""
    inner = Crop((3, 4), 5, then=Crop(1))
    shown = "test_values.Crop(size=[3, 4], then=Crop, more=[5])"
    assert text_of(describe(inner)).endswith(shown)
    assert text_of(describe([inner, {"a": inner}])).count(shown) == 2
    assert describe(inner) == describe(Crop([3, 4], 5, then=Crop(2)))
    assert describe(inner) != describe(Crop((3, 5), 5, then=Crop(1)))


def test_no_order_of_a_set_is_on_record() -> None:
    """It is another one in each process."""
    code = (
        "from runlore.log.values import describe\n"
        "texts = {'x', 'y', 'z'}\n"
        "print(*map(describe, ([{'a': texts}], [texts], {(1, frozenset(texts))}, (texts, object))))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1


@dataclass
class Settings:
    lr: float = 0.1
    path: Path = Path("data")

    @property
    def best(self) -> float:
        raise RuntimeError("only fields are read")


class Model(pydantic.BaseModel):
    lr: float = 0.1
    path: Path = Path("data")


@attrs.define
class Attributes:
    lr: float = 0.1
    path: Path = Path("data")


@pytest.mark.parametrize("params", [Namespace(lr=0.1, path=Path("data")), Settings(), Model(), Attributes()])
def test_what_has_named_fields_is_a_mapping(store: Store, params: Any) -> None:
    assert recorded(store, params) == {"lr": 0.1, "path": "data"}
    assert recorded(store, {"nested": params}) == {"nested.lr": 0.1, "nested.path": "data"}


class Config(Mapping[str, Any]):
    """With a hole, as OmegaConf's are."""

    def __iter__(self) -> Iterator[str]:
        return iter(["lr", "ckpt", "depth"])

    def __len__(self) -> int:
        return 3

    def __getitem__(self, key: str) -> Any:
        if key == "ckpt":
            raise ValueError("Missing mandatory value: ckpt")
        return 1


def test_a_value_that_can_not_be_read_costs_only_itself_and_is_named(store: Store) -> None:
    """It once ended the training."""
    with store.start_run("holes", params=Config()) as run:
        run.log_params({"nested": Config()})
        run.set_tags(Config())
    found = store.run("holes")
    assert {key: found.params[key] for key in ("lr", "depth", "nested.lr")} == {"lr": 1, "depth": 1, "nested.lr": 1}
    assert {item["what"] for item in found.missing} == {"param ckpt", "param nested.ckpt", "tag ckpt"}
    assert "ValueError" in found.missing[0]["why"]


def test_no_order_of_a_mapping_can_end_a_training(store: Store) -> None:
    class Broken(Config):
        def __iter__(self) -> Iterator[str]:
            raise RuntimeError("no names")

    with store.start_run("none", params=Broken()) as run:
        run.log_params({"nested": Broken(), "lr": 1})
    assert store.run("none").params["lr"] == 1
    assert len(store.run("none").missing) == 2


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
    loop["more"] = {"up": loop, "b": 2}
    assert {key: text_of(value) for key, value in flatten(loop).items()} == {
        "a": "1", "self": "…", "more.up": "…", "more.b": "2",
    }  # fmt: skip


def test_a_tree_whose_nodes_know_each_other_ends_soon() -> None:
    """Each way through it was once followed, eight nodes deep."""
    root = Namespace(name="root")
    root.root = root
    for number in range(20):
        setattr(root, f"child{number}", Namespace(name=f"{number}", up=root, root=root))
    flat = flatten(root)
    assert len(flat) == 2 + 20 * 3
    assert text_of(flat["child7.up"]) == "…"


def test_a_list_that_contains_itself_ends_soon() -> None:
    """Each way through it was once followed, eight lists deep: ten times itself took minutes."""
    loop: list[Any] = [1]
    loop.extend([loop] * 40)
    mapping: dict[str, Any] = {}
    mapping.update({str(number): mapping for number in range(40)})
    began = time.thread_time()
    assert [text_of(describe(value))[:5] for value in (loop, [mapping])] == ["[1, [", "[{'0'"]
    assert time.thread_time() - began < 2


def test_objects_in_a_list_are_kept_with_their_fields(store: Store) -> None:
    """Their repr stood there, which may say nothing, or the place in memory."""

    @dataclass(repr=False)
    class Layer:
        size: int
        inner: object = None

    class Odd(Namespace):
        @property
        def size(self) -> int:
            raise RuntimeError

    layers = [Layer(3), Layer(4, Layer(5))]
    params = recorded(store, {"layers": layers, "named": [{"a": Layer(1)}], "pair": (Namespace(a=1), [2])})
    assert params["layers"] == "[{'size': 3, 'inner': None}, {'size': 4, 'inner': {'size': 5, 'inner': None}}]"
    assert params["named"] == "[{'a': {'size': 1, 'inner': None}}]"
    assert params["pair"] == "({'a': 1}, [2])"
    assert text_of(describe([Odd(), 1])).endswith(", 1]")


def test_a_whole_number_of_very_many_digits_costs_no_list() -> None:
    huge = 10**5000
    assert text_of(describe([1, huge])).startswith('[1, "0X31E2')
    assert text_of(describe([Namespace(a=huge), object()])).startswith("[{'a': '0X31E2")
    assert text_of(describe({huge, 1})).startswith('["0X31E2')
    assert describe([1, huge]) != describe([1, huge + 1])


def test_a_list_with_more_numbers_than_its_text_can_show_is_told_by_its_hash() -> None:
    rows = [[number] * 2000 for number in range(2000)]
    found, other = describe(rows), describe([*rows[:-1], [0] * 2000])
    assert isinstance(found, dict)
    assert isinstance(other, dict)
    assert (found["$type"], len(found["text"])) == ("list", 1025)
    assert found["sha256"] != other["sha256"]


def test_a_mapping_that_stands_in_two_places_is_recorded_in_both() -> None:
    shared = {"lr": 0.1}
    assert flatten({"actor": shared, "critic": shared}) == {"actor.lr": 0.1, "critic.lr": 0.1}


def test_odd_text_survives_the_disk(store: Store) -> None:
    odd = {"nul": "a\0b", "line": "a\nb", "\u202e": "rtl", "emoji": "🙂"}
    assert recorded(store, odd) == odd
    assert recorded(store, {"half": "a\udc80"}) == {"half": "a\\udc80"}
