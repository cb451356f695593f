"""Numbers of more than 53 bits in queries."""

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
