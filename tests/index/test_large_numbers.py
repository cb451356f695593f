"""Numbers of more than 53 bits in queries."""

from decimal import Decimal
from operator import eq, ge, gt, le, lt, ne
from pathlib import Path

import pytest

from runlore import Store
from runlore.errors import QueryError


def test_numbers_of_64_bits_compare_exactly(store: Store) -> None:
    """The index once held all numbers as floats: neighbouring seeds were equal."""
    with store.start_run(params={"seed": 2**53 + 1, "list": [1, 2], "huge": 2**80}):
        pass
    assert len(store.runs(f"params.seed == {2**53 + 1}")) == 1
    assert len(store.runs(f"params.seed == {2**53}")) == 0
    assert len(store.runs(f"params.huge > {2**70} and params.seed < {2**90}")) == 1
    assert store.runs(limit=2**70)[0].params == {"seed": 2**53 + 1, "list": [1, 2], "huge": 2**80}
    with pytest.raises(QueryError, match="None has no order"):
        store.runs("params.seed < None")
    with pytest.raises(QueryError):
        store.runs(sort="a/" * 2000 + "b")
    assert len(store.runs(r"match(name, '\w')")) == 1


SEEDS = [2**64 + step for step in (-1, 0, 1)] + [10**20, -(2**70), -(2**70) - 1, 5]


@pytest.mark.parametrize("symbol", ["==", "!=", "<", "<=", ">", ">="])
def test_whole_numbers_beyond_64_bits_compare_exactly(store: Store, symbol: str) -> None:
    """As floats, neighbours were equal."""
    for seed in SEEDS:
        with store.start_run(params={"seed": seed}):
            pass
    compare = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}[symbol]
    for constant in SEEDS:
        found = {run.params["seed"] for run in store.runs(f"params.seed {symbol} {constant}")}
        assert found == {seed for seed in SEEDS if compare(seed, constant)}, constant
        assert [run.params["seed"] for run in store.runs(f"params.seed in [{constant}, 'a']")] == [constant]


def test_a_table_holds_them_as_text(store: Store) -> None:
    for seed in (2**64 + 1, 3):
        with store.start_run(params={"seed": seed}):
            pass
    assert store.runs(sort="-started").to_arrow()["params.seed"].to_pylist() == ["3", str(2**64 + 1)]


def test_objects_are_asked_for_by_their_text(store: Store) -> None:
    params = {"data": Path("/data/a"), "layers": [64, 32], "loss": Decimal("0.10"), "names": {"b", "a"}}
    with store.start_run("objects", params=params):
        pass
    for query in (
        "params.data == '/data/a'", "like(params.data, '/data/%')", "params.layers == '[64, 32]'",
        "params.loss == '0.10'", "params.loss == 0.1", "params.names == '[\"a\", \"b\"]'",
        "params.data in ['/data/a', 'b']",
    ):  # fmt: skip
        assert len(store.runs(query)) == 1, query


@pytest.mark.parametrize("limit", [None, 4])
def test_whole_numbers_beyond_64_bits_sort_exactly(store: Store, limit: int | None) -> None:
    """Neighbours are equal as floats, and came in the order of their runs."""
    seeds = [2**70 + 1, -(2**70), 2**70, -(2**70) - 1, 2**70 + 2, 5]
    for seed in seeds:
        with store.start_run(params={"seed": seed}):
            pass
    for sort, expected in (("params.seed", sorted(seeds)), ("-params.seed", sorted(seeds, reverse=True))):
        assert [run.params["seed"] for run in store.runs(sort=sort, limit=limit)] == expected[:limit]
