"""Runs as tables of other libraries."""

from runlore import Store


def test_runs_become_frames_of_every_library(filled: Store) -> None:
    runs = filled.runs(sort="id")
    pandas = runs.to_pandas()
    assert pandas["params.lr"].tolist() == [0.1, 0.2]
    assert pandas["metrics.loss.min"].tolist() == [1.0, 0.5]
    assert str(pandas["started"].dtype).startswith("datetime64")
    polars = runs.to_polars()
    assert polars["params.mixed"].to_list() == ["1", "text"]
    assert polars["tags.t"].to_list() == ["v", None]
    arrow = runs.to_arrow()
    assert arrow.column("metrics.loss.last").to_pylist() == [1.0, 0.5]
    assert arrow.num_rows == 2


def test_no_runs_become_empty_frames(store: Store) -> None:
    assert len(store.runs().to_pandas()) == len(store.runs().to_polars()) == store.runs().to_arrow().num_rows == 0
