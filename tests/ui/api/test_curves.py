"""Curves over HTTP."""

import numpy as np
import pytest
from scipy import stats

from runlore import Store
from tests.ui.serving import Served, named

QUOTE = 'metrics["val/acc"]'


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


def test_bands_are_means_medians_and_spreads_of_groups(real: Served) -> None:
    found = real.get("/api/bands", where='experiment == "sweep"', by="params.lr", key="val/acc", order=QUOTE)
    assert [band["by"] for band in found["bands"]] == [{"params.lr": 0.1}, {"params.lr": 0.01}, {"params.lr": 0.001}]
    runs = Store(real.store).runs("experiment == 'sweep' and params.lr == 0.1")
    table = np.stack([run.metrics["val/acc"].values for run in runs])
    (best, *_) = found["bands"]
    assert best["x"] == runs[0].metrics["val/acc"].steps.tolist()
    assert best["mean"] == pytest.approx(table.mean(axis=0).tolist())
    assert best["deviation"] == pytest.approx(table.std(axis=0, ddof=1).tolist())
    assert best["count"] == [4] * len(best["x"])
    assert best["interval"] == pytest.approx((stats.t.ppf(0.975, 3) * table.std(axis=0, ddof=1) / 2).tolist())
    assert best["median"] == pytest.approx(np.median(table, axis=0).tolist())
    assert (best["low"], best["high"]) == (table.min(axis=0).tolist(), table.max(axis=0).tolist())


def test_what_can_not_lie_along_x_is_said(real: Served) -> None:
    run = Store(real.store).run("sweep-0.1-1")
    found = real.refused("/api/curves", runs=run.id, key="loss", x="tokens")
    assert found.status == 400
    assert "x is 'tokens': it is one of step, epoch, time, relative, or metric:" in found.document["error"]["message"]
