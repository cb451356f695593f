"""Files of runs and points that other programs open."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runlore import Store
from runlore._text import cell_text
from runlore.analysis.exports import export, points_to_arrow
from tests.commands import runlore


@pytest.fixture
def exported(seeded: Store, tmp_path: Path) -> Path:
    with seeded.start_run("odd", params={"lr": "auto", "text": 'a "quoted",\nline'}) as run:
        run.log_metrics({"nan": float("nan"), "inf": float("inf")}, step=5, epoch=0.5)
    for kind in ("parquet", "csv", "json"):
        done = runlore("export", "--format", kind, "--to", str(tmp_path / "out"))
        assert done.exit_code == 0, done.output
        assert len(done.stdout.split()) == 2
    return tmp_path / "out"


def test_duckdb_reads_every_format(exported: Path, seeded: Store) -> None:
    for kind, reader in (("parquet", "read_parquet"), ("csv", "read_csv"), ("json", "read_json")):
        runs, points = (f"{reader}('{exported / name}.{kind}')" for name in ("runs", "points"))
        assert duckdb.sql(f"SELECT count(*) FROM {runs}").fetchall() == [(11,)], kind
        best = duckdb.sql(
            f"SELECT name, value FROM {points} WHERE key = 'val_acc' AND step = 2 ORDER BY 2 DESC LIMIT 1"
        )
        assert [(name, float(value)) for name, value in best.fetchall()] == [("lr0.2-3", 0.96)]
        joined = f"SELECT count(*) FROM {points} p JOIN {runs} r ON p.run = r.id"
        assert duckdb.sql(joined).fetchall() == [(29,)]


def test_pandas_reads_what_the_store_says(exported: Path, seeded: Store) -> None:
    runs = pandas.read_parquet(exported / "runs.parquet")
    assert set(runs["name"]) == {run.name for run in seeded.runs()}
    assert runs.set_index("name").loc["lr0.2-3", "metrics.val_acc.max"] == 0.99
    points = pandas.read_parquet(exported / "points.parquet")
    odd = points[points["name"] == "odd"].set_index("key")
    assert (odd.loc["nan", "step"], odd.loc["nan", "epoch"]) == (5, 0.5)
    assert pandas.isna(odd.loc["nan", "value"])
    assert odd.loc["inf", "value"] == float("inf")
    assert points_to_arrow(seeded.runs()).num_rows == len(points)
    text = pandas.read_csv(exported / "runs.csv").set_index("name").loc["odd", "params.text"]
    assert text == 'a "quoted",\nline'
    with (exported / "points.csv").open() as file:
        assert next(csv.reader(file)) == ["run", "name", "key", "split", "step", "epoch", "time", "value"]
    lines = [json.loads(line) for line in (exported / "points.json").read_text().splitlines()]
    assert [line["value"] for line in lines if line["key"] == "inf"] == ["Infinity"]


def test_columns_without_a_value_have_a_type(store: Store, tmp_path: Path) -> None:
    with store.start_run("a", params={"none": None}):
        pass
    export(store.runs(), tmp_path / "out", "parquet")
    export(store.runs("name == 'nobody'"), tmp_path / "none", "parquet")
    for place in ("out", "none"):
        rows = duckdb.sql(f"DESCRIBE SELECT * FROM read_parquet('{tmp_path / place}/runs.parquet')").fetchall()
        kinds = {row[0]: row[1] for row in rows}
        assert '"NULL"' not in kinds.values()
        assert kinds["parent"] == "VARCHAR"
        assert kinds["id"] == "VARCHAR"


def test_an_empty_store_exports_empty_files(store: Store, tmp_path: Path) -> None:
    kinds: Any = ("parquet", "csv", "json")
    for kind in kinds:
        for path in export(store.runs(), tmp_path / "out", kind):
            assert path.is_file()
    assert len(pandas.read_parquet(tmp_path / "out" / "points.parquet")) == 0
    assert pandas.read_csv(tmp_path / "out" / "points.csv").columns[0] == "run"
    assert list(store.runs().to_pandas().columns) == store.runs().to_arrow().column_names


FORMULAS = [
    "=1+1",
    '=HYPERLINK("http://x.invalid")',
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "=cmd|' /C calc'!A0",
    "'=1",
]


def undone(text: str) -> str:
    """Do what docs/commands.md says."""
    return text[1:] if re.match(r"'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]", text) else text


def test_csv_holds_no_formula_and_every_number_as_it_is(store: Store, tmp_path: Path) -> None:
    for place, text in enumerate(FORMULAS):
        with store.start_run(text, params={"small": -1e-5, "text": text, "number": "-1e-5"}, tags={text: text}) as run:
            run.log_metrics({text: -1e-5}, step=place)
            run.log_metrics({"inf": float("-inf")})
    for kind, options in (("cells", []), ("exact", ["--exact"])):
        done = runlore("export", "--format", "csv", "--to", str(tmp_path / kind), *options)
        assert done.exit_code == 0, done.output
    for name in ("runs.csv", "points.csv"):
        with (tmp_path / "cells" / name).open(newline="") as file:
            cells = list(csv.reader(file))
        with (tmp_path / "exact" / name).open(newline="") as file:
            exact = list(csv.reader(file))
        assert [[undone(cell) for cell in row] for row in cells] == exact
        risky = [cell for row in cells for cell in row if cell[:1] in tuple("=+-@\t\r")]
        assert set(risky) == {"-1e-05", "-1e-5", "-Infinity"} & set(risky), "numbers"
        assert any(cell[:1] == "=" for row in exact for cell in row)
    frame = pandas.read_csv(tmp_path / "cells" / "points.csv")
    assert sorted(set(frame["value"])) == [float("-inf"), -1e-5]


@given(st.text(st.sampled_from("'=+-@\t\r\n1e.x"), max_size=6))
def test_a_cell_that_was_changed_can_be_changed_back(text: str) -> None:
    cell = cell_text(text)
    assert undone(cell) == text
    try:
        float(cell)
    except ValueError:
        assert cell[:1] not in tuple("=+-@\t\r\n")
