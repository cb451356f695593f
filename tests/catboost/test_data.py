"""What is recorded of the data that catboost is given: content, shape, and all that belongs to its rows."""

from pathlib import Path
from typing import Any

import catboost
import numpy as np
import pandas as pd
import pytest

import runlore
from runlore import Store
from runlore_catboost import RunloreCallback
from tests.catboost.models import classifier, only, pools, rows


@pytest.mark.shows("catboost", "data")
def test_pools_are_described_by_what_they_hold(store: Store) -> None:
    weights = np.linspace(0.5, 1, 120)
    pool = catboost.Pool(*rows(), weight=weights, feature_names=["a", "b", "c"])
    classifier().fit(pool, eval_set=pools()[1], callbacks=[RunloreCallback()])
    run, (x, y) = only(store), rows()
    assert set(run.data) == {"X", "y", "sample_weight", "eval_set.0", "eval_set.0.y"}
    with store.start_run("known") as known:
        assert run.data["X"]["fingerprint"] == known.log_data("x", x)
    assert run.data["X"]["columns"] == ["a", "b", "c"]
    assert run.data["y"]["shape"] == [len(y)]


@pytest.mark.parametrize("way", ["pool", "arguments"])
def test_all_that_belongs_to_the_rows_of_a_set_is_described(store: Store, way: str) -> None:
    x, y = rows()
    settings: Any = {"group_id": np.repeat([0, 1], 60), "pairs": [[0, 1], [61, 62]], "baseline": np.zeros(120)}
    model = catboost.CatBoostRanker(iterations=2, verbose=0, allow_writing_files=False, loss_function="PairLogit")
    with runlore.autolog("catboost"):
        if way == "pool":
            model.fit(catboost.Pool(x, y, **settings))
        else:
            model.fit(x, y, **settings)
    assert set(only(store).data) == {"X", "y", *settings}


def test_the_categories_of_a_fit_are_a_param(store: Store) -> None:
    x, y = rows()
    table = pd.DataFrame(x, columns=["a", "b", "c"]).assign(kind=np.array(["u", "v"])[y])
    classifier().fit(table, y, cat_features=["kind"], callbacks=[RunloreCallback()])
    assert only(store).params["cat_features"] == ["kind"]


def test_pools_with_categories_and_of_bins_have_their_shape(store: Store) -> None:
    x, y = rows()
    table = pd.DataFrame(x, columns=["a", "b", "c"]).assign(
        kind=np.array(["u", "v"])[y], said=np.array(["no", "oh yes"])[y]
    )
    pool = catboost.Pool(table, y, cat_features=["kind"], text_features=["said"])
    bins = pools()[0]
    bins.quantize()
    for data in (pool, bins):
        classifier().fit(data, callbacks=[RunloreCallback()])
    quantised, categorical = (run.data["X"] for run in store.runs())
    assert (categorical["shape"], categorical["categorical"], categorical["text"]) == ([120, 5], ["kind"], ["said"])
    assert "fingerprint" not in categorical
    assert "columns" not in quantised  # nobody has named them
    assert (quantised["shape"], quantised["content"]) == ([120, 3], "quantised")


def test_of_a_large_pool_blocks_of_rows_are_looked_at(store: Store) -> None:
    x = np.random.default_rng(1).normal(size=(50_000, 4)).astype("float32")
    classifier(iterations=1).fit(catboost.Pool(x, x[:, 0] > 0), callbacks=[RunloreCallback()])
    found = only(store).data["X"]
    assert (found["shape"], found["sampled_rows"], len(found["sample"])) == ([50_000, 4], 8192, 64)


def test_a_file_is_left_to_catboost(store: Store, tmp_path: Path) -> None:
    x, y = rows()
    np.savetxt(tmp_path / "train.tsv", np.c_[y, x], delimiter="\t")
    classifier().fit(str(tmp_path / "train.tsv"), callbacks=[RunloreCallback()])
    assert only(store).data["X"]["path"].endswith("train.tsv")
