"""The mirror of runs as CSV files."""

import csv
from collections.abc import Callable
from pathlib import Path

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_the_csv_mirror_has_every_point_and_param(store: Store, tmp_path: Path, python: Python) -> None:
    python(
        """
        import runlore
        with runlore.start_run("mine/1", params={"lr": 0.5, "model.depth": 3}) as run:
            for step in range(50):
                run.log_metrics({"loss": step / 3}, step=step, epoch=0.5, split="val")
            run.log_metrics({"nan": float("nan")})
        """,
        RUNLORE_CSV=str(tmp_path / "csv"),
    ).succeed()
    (place,) = (tmp_path / "csv").iterdir()
    assert place.name == f"mine-1-{store.runs()[0].id}"
    rows = list(csv.DictReader((place / "metrics.csv").read_text().splitlines()))
    losses = [row for row in rows if row["key"] == "val/loss"]
    assert [float(row["value"]) for row in losses] == [step / 3 for step in range(50)]
    assert {(row["split"], row["epoch"]) for row in losses} == {("val", "0.5")}
    assert [row["value"] for row in rows if row["key"] == "nan"] == ["nan"]
    params = {row["key"]: row["value"] for row in csv.DictReader((place / "params.csv").read_text().splitlines())}
    assert params == {"lr": "0.5", "model.depth": "3"}
    assert (place / "status").read_text() == "finished\n"


def test_the_csv_mirror_holds_no_formula(store: Store, tmp_path: Path, python: Python) -> None:
    script = """
        import runlore
        with runlore.start_run("=1+1", params={"=a": "@x", "small": -1e-5, "text": "'=1"}) as run:
            run.log_metrics({"-key": -1e-5, "=key": 2.0}, split="+split")
        """
    python(script, RUNLORE_CSV=str(tmp_path / "cells")).succeed()
    python(script, RUNLORE_CSV=str(tmp_path / "exact"), RUNLORE_CSV_EXACT="1").succeed()
    found = {}
    for kind in ("cells", "exact"):
        (place,) = (tmp_path / kind).iterdir()
        params = dict(csv.reader((place / "params.csv").read_text().splitlines()))
        points = [row[3:] for row in csv.reader((place / "metrics.csv").read_text().splitlines()[1:])]
        found[kind] = params, points
    assert found["cells"] == (
        {"key": "value", "'=a": "'@x", "small": "-1e-05", "text": "''=1"},
        [["'+split", "'+split/-key", "-1e-05"], ["'+split", "'+split/=key", "2.0"]],
    )
    assert found["exact"] == (
        {"key": "value", "=a": "@x", "small": "-1e-05", "text": "'=1"},
        [["+split", "+split/-key", "-1e-05"], ["+split", "+split/=key", "2.0"]],
    )
