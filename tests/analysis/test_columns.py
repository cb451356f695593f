"""The columns that a table of runs shows, and their order."""

from runlore import Store
from runlore.analysis.columns import telling_columns
from runlore.analysis.ranking import by_use


def test_metrics_come_first_that_show_a_value_for_the_runs_left_empty(store: Store) -> None:
    for name, metrics in {"a": ("val_acc", "loss"), "b": ("val_acc",), "c": ("mae", "epoch_time")}.items():
        with store.start_run(name) as run:
            run.log_metrics(dict.fromkeys(metrics, 1.0))
    columns = [field.text for field in telling_columns(store.runs())]
    assert columns == ["metrics.val_acc", "metrics.mae", "metrics.loss", "metrics.epoch_time"]


def test_a_metric_that_says_how_many_rows_there_were_is_never_shown(store: Store) -> None:
    """It once stood first, for runs that learn by `partial_fit`."""
    with store.start_run("a") as run:
        run.log_metrics({"rows": 100.0, "val/n_samples": 10.0, "narrows": 1.0})
    assert [field.text for field in telling_columns(store.runs())] == ["metrics.narrows"]


def test_a_description_is_no_column_that_tells_runs_apart(store: Store) -> None:
    for name in ("a", "b"):
        store.start_run(name, tags={"description": name, "job": name}).finish()
    assert telling_columns(store.runs()) == []


def test_params_and_tags_are_shown_only_where_they_differ(store: Store) -> None:
    for name, lr in (("a", 1), ("b", 2)):
        params = {"lr": lr, "depth": 3, "width": lr, "out_dir": name}
        store.start_run(name, params=params, tags={"team": name, "same": "x"}).finish()
    assert [field.text for field in telling_columns(store.runs())] == ["tags.team", "params.lr", "params.width"]


def test_params_that_people_vary_come_before_those_of_frameworks() -> None:
    assert list(by_use({"adam.eps": 1, "width": 2, "lr": 3, "adam.lr": 4})) == ["lr", "adam.lr", "width", "adam.eps"]
