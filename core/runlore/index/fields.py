"""The fields that queries name: columns of a run, and keys of tables such as params and metrics."""

import json
import keyword
from dataclasses import dataclass

ID_FIELDS = ("id", "parent")
TEXT_FIELDS = ("status", "experiment", "name", "id", "parent", "notes")
NAMED = ("experiment", "name")  # texts that people count in: run-10
TIME_FIELDS = ("started", "ended")
FIELDS = (*TEXT_FIELDS, *TIME_FIELDS, "duration")
STATUSES = ("running", "finished", "failed", "interrupted", "crashed", "silent", "unreadable", "damaged")
TABLES = ("params", "metrics", "summary", "tags", "env", "data")
SET = "yes"
FLAGS = {"archived": SET, "pinned": None}  # tags that are conditions: true for a value; for any, as `rm` has it
BARE = ("params", "tags", "metrics", "summary")  # where a name without a table is looked for, in this order
AGGREGATES = ("last", "min", "max", "count")
EXAMPLES = {
    "params": "params.lr",
    "metrics": "metrics.loss.min",
    "summary": "summary.train_runtime",
    "tags": "tags.team",
    "env": "env.python.version",
    "data": "data.X.fingerprint",
}


@dataclass(frozen=True, slots=True)
class Field:
    """A column of a run, or a key of a table."""

    table: str  # "" for a column of the run
    key: str
    column: str  # of the run, or the aggregate of a metric
    place: int  # where the query names it, in characters

    @classmethod
    def of_key(cls, table: str, key: str, place: int = 0) -> "Field":
        """Return the field of a key; of a metric, its last value."""
        return cls(table, key, "last" if table == "metrics" else "", place)

    @property
    def text(self) -> str:
        """The field as a query writes it."""
        if not self.table:
            return self.column
        parts = self.key.split(".")  # Python would normalise names beyond ASCII, so these are quoted
        plain = all(part.isascii() and part.isidentifier() and not keyword.iskeyword(part) for part in parts)
        plain &= (
            self.column != "last" or len(parts) == 1 or parts[-1] not in AGGREGATES
        )  # loss.min: a key, or the least?
        name = f"{self.table}.{self.key}" if plain else f"{self.table}[{json.dumps(self.key, ensure_ascii=False)}]"
        return name if self.column in ("", "last") else f"{name}.{self.column}"
