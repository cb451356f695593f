"""Endpoints for many runs, of stores made by real trainings."""

import numpy as np
import pytest

from runlore import Store
from tests.ui.serving import Served, ids, named

QUOTE = 'metrics["val/acc"]'


def test_a_page_of_the_table_is_sorted_and_counted(real: Served) -> None:
    found = real.get(
        "/api/runs", where='experiment == "sweep"', columns=["params.lr", QUOTE, "params.model"], sort=f"-{QUOTE}",
        offset=2, limit=3,
    )  # fmt: skip
    assert found["total"] == 12
    assert [column["key"] for column in found["columns"]] == ["lr", "val/acc", "model"]
    runs = Store(real.store).runs('experiment == "sweep"', sort=f"-{QUOTE}")
    assert [row["id"] for row in found["rows"]] == [run.id for run in runs[2:5]]
    for row, run in zip(found["rows"], runs[2:5], strict=True):
        assert row["values"] == [run.params["lr"], run.metrics["val/acc"].last, run.params["model"]]
        assert (row["name"], row["status"], row["tags"]) == (run.name, run.status, run.tags)


def test_pages_together_are_the_whole(many: Served) -> None:
    """Along an index, where values are missing, and by two fields."""
    for sort in ("params.seed", "-metrics.loss.min", "params.model,-started", ""):
        pages = [ids(many, "params.lr < 0.3", sort=sort, offset=offset, limit=1000) for offset in range(0, 3000, 1000)]
        whole = [run.id for run in Store(many.store).runs("params.lr < 0.3", sort=sort)]
        assert [run_id for page in pages for run_id in page] == whole


def test_children_are_left_out_unless_they_are_asked_for(real: Served) -> None:
    search = real.get("/api/runs", where='tags.estimator == "GridSearchCV"')["rows"][0]
    assert search["children"] > 0
    children = ids(real, "", all="1", limit=1000)
    assert len(children) > real.get("/api/runs")["total"]
    assert len(ids(real, f"parent == {search['id']!r}")) == search["children"]


def test_keys_tell_how_a_query_spells_them(real: Served) -> None:
    found = real.get("/api/keys")
    assert {"key": "val/acc", "field": QUOTE, "runs": 12} in found["metrics"]
    assert {"key": "team", "field": "tags.team", "runs": 12} in found["tags"]
    for table in ("params", "metrics", "summary", "tags", "env", "data"):
        for item in found[table][:20]:
            assert '"' in item["key"] or real.get("/api/check", where=f"{item['field']} is None")["error"] is None


def test_the_columns_are_those_that_ls_shows(real: Served) -> None:
    assert {"params.lr", "params.seed", QUOTE} <= set(
        real.get("/api/columns", where='experiment == "sweep"')["columns"]
    )


def test_groups_are_those_of_stats(real: Served) -> None:
    (found,) = real.get("/api/groups", where='experiment == "sweep"', by="params.lr", metrics=QUOTE)
    values = [
        run.metrics["val/acc"].last for run in Store(real.store).runs("params.lr == 0.1 and experiment == 'sweep'")
    ]
    (group,) = [item for item in found["groups"] if item["by"] == {"params.lr": 0.1}]
    assert group["n"] == 4
    assert group["mean"] == pytest.approx(np.mean(values))
    assert group["std"] == pytest.approx(np.std(values, ddof=1))
    assert real.refused("/api/groups", by="params.lr", metrics="nothing").status == 400


def test_no_peak_is_lost(real: Served) -> None:
    run = named(real, "sweep-0.1-1")
    (curve,) = real.get("/api/curves", runs=run, key="loss", most=50)["curves"]
    assert len(curve["x"]) <= 52
    assert (curve["points"], curve["whole"]) == (3000, False)
    assert max(curve["y"]) > 5
    assert curve["x"][curve["y"].index(max(curve["y"]))] == 1777
    assert (curve["x"][0], curve["x"][-1]) == (0, 2999)


def test_a_closer_look_has_finer_points(real: Served) -> None:
    run = named(real, "sweep-0.1-1")
    (curve,) = real.get("/api/curves", runs=run, key="loss", most=50, begin=1770, end=1790)["curves"]
    assert curve["x"] == list(range(1769, 1792))
    assert curve["whole"]


def test_curves_lie_along_what_is_asked_for(real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-1")
    series = run.metrics["loss"]
    for axis, expected in (
        ("epoch", series.epochs),
        ("time", series.times / 1e6),
        ("relative", series.times / 1e6 - run.started.timestamp()),
    ):
        (curve,) = real.get("/api/curves", runs=run.id, key="loss", x=axis, most=5000)["curves"]
        assert curve["x"] == pytest.approx(expected.tolist())
    assert real.get("/api/curves", runs=run.id, key="unknown")["curves"] == []


def test_bands_are_means_and_deviations_of_groups(real: Served) -> None:
    found = real.get("/api/bands", where='experiment == "sweep"', by="params.lr", key="val/acc", order=QUOTE)
    assert [band["by"] for band in found["bands"]] == [{"params.lr": 0.1}, {"params.lr": 0.01}, {"params.lr": 0.001}]
    runs = Store(real.store).runs("experiment == 'sweep' and params.lr == 0.1")
    table = np.stack([run.metrics["val/acc"].values for run in runs])
    (best, *_) = found["bands"]
    assert best["x"] == runs[0].metrics["val/acc"].steps.tolist()
    assert best["mean"] == pytest.approx(table.mean(axis=0).tolist())
    assert best["deviation"] == pytest.approx(table.std(axis=0, ddof=1).tolist())
