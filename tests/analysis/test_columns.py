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


def test_a_metric_with_the_name_of_a_param_comes_last(store: Store) -> None:
    """In a store of several experiments the learning rate once stood before every loss: more runs have it."""
    for name, metrics in {"a": ("lr", "mae"), "b": ("lr", "loss"), "c": ("lr",)}.items():
        with store.start_run(name, params={"lr": 0.1}) as run:
            run.log_metrics(dict.fromkeys(metrics, 1.0))
    columns = [field.text for field in telling_columns(store.runs())]
    assert columns == ["metrics.loss", "metrics.mae", "metrics.lr"]


def test_metrics_of_each_layer_come_behind_the_loss(store: Store) -> None:
    with store.start_run("a") as run:
        run.log_metrics(dict.fromkeys(["block.0.norm", "layer/1/norm", "layer/2/norm", "loss", "top5"], 1.0))
    first = ["metrics.loss", "metrics.top5"]
    assert [field.text for field in telling_columns(store.runs())][:2] == first


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


def test_what_somebody_passed_is_shown_before_what_was_captured(store: Store) -> None:
    for number in range(2):
        given = {"width": number, "own_a": number, "own_b": number, "own_c": number, "own_d": number}
        with store.start_run(f"run-{number}", params=given) as run:
            run.log_params({"alpha": number, "learning_rate": number, "width": number}, captured=True)
            run.log_metrics({"loss": 1.0, "acc": 1.0})
    columns = [field.text for field in telling_columns(store.runs())]
    passed = ["params.own_a", "params.own_b", "params.own_c", "params.own_d", "params.width"]
    assert columns[0] == "metrics.acc"
    assert columns[1:5] == passed[:4]
    assert columns[5:] == ["metrics.loss", passed[4], "params.alpha", "params.learning_rate"]


def test_a_param_that_one_run_passed_and_another_left_as_it_is_counts_as_passed(store: Store) -> None:
    for number, captured in ((50, False), (100, True)):
        with store.start_run() as run:
            run.log_params({"n_trees": number}, captured=captured)
            run.log_params({"alpha": number}, captured=True)
    assert [field.text for field in telling_columns(store.runs())] == ["params.n_trees", "params.alpha"]


def test_passed_params_come_before_captured_ones_in_a_run() -> None:
    params = {"lr": 1, "a.b.c": 2, "a.b": 3, "z": 4, "alpha": 5}
    assert list(by_use(params, {"lr", "z"})) == ["alpha", "a.b", "a.b.c", "lr", "z"]


def test_params_that_people_vary_come_before_those_of_frameworks() -> None:
    assert list(by_use({"adam.eps": 1, "width": 2, "lr": 3, "adam.lr": 4})) == ["lr", "adam.lr", "width", "adam.eps"]
