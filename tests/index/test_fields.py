"""Fields as queries write them."""

from hypothesis import example, given
from hypothesis import strategies as st

from runlore.index.fields import AGGREGATES, TABLES, Field
from runlore.index.parse import parse_field

KEYS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
    st.sampled_from(["lr", "net.depth", "lambda", "val/loss", "min", "loss.min", "ª", "a,b", '"', "\\", "\n"]),
)


@example("metrics", "loss.min", "last")
@given(st.sampled_from(TABLES), KEYS, st.sampled_from(AGGREGATES))
def test_a_field_is_read_as_it_is_written(table: str, key: str, aggregate: str) -> None:
    field = Field(table, key, aggregate, 0) if table == "metrics" else Field.of_key(table, key)
    assert parse_field(field.text) == field
