"""What the property tests of the log draw: any JSON, and good JSON with something in it replaced."""

import copy
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["", "a", "loss", "checkpoint", "NaN", "$float", "ab" * 32, "\udc80", "a/b", "\0", "../x"])
NUMBERS = st.one_of(st.integers(-3, 40), st.integers(), st.just(2**63), st.floats())
SCALARS = st.one_of(st.none(), st.booleans(), NUMBERS, WORDS, st.text(max_size=5))
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container in a JSON value with each of its keys or indexes."""
    keys: list[Any] = list(value) if isinstance(value, dict) else []
    keys += range(len(value)) if isinstance(value, list) else []
    return [(value, key) for key in keys] + [place for key in keys for place in places(value[key])]


@st.composite
def spoiled(draw: st.DrawFn, good: Any) -> Any:
    """A good JSON value in which up to two values are replaced by any other, or are missing."""
    value = copy.deepcopy(good)
    for _ in range(draw(st.integers(0, 2))):
        found = places(value)
        if not found:
            break
        container, key = draw(st.sampled_from(found))
        if draw(st.booleans()):
            container[key] = draw(JSON)
        else:
            del container[key]
    return value
