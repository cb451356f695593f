"""Groups of runs, their intervals and tests, checked against SciPy's own."""

from typing import Any

import pytest
import scipy.stats

from runlore import Store
from runlore.analysis import statistics
from runlore.analysis.statistics import direction, group_runs, paired_test, summarise
from runlore.errors import QueryError
from tests.analysis.seeded import ACCURACIES
from tests.commands import document, runlore


def test_mean_interval_and_best_are_those_of_scipy(seeded: Store) -> None:
    found = group_runs(seeded, "", "val_acc", ["params.lr"], ["params.seed"])
    assert (found.metric, found.best) == ("metrics.val_acc", "max")
    assert [group.key for group in found.groups] == [(0.2,), (0.1,), (0.3,)]
    for group in found.groups[:2]:
        values = ACCURACIES[group.key[0]]
        low, high = scipy.stats.t.interval(
            0.95, len(values) - 1, loc=sum(values) / len(values), scale=scipy.stats.sem(values)
        )
        assert group.interval == pytest.approx((low, high))
        assert group.mean == pytest.approx(sum(values) / len(values))
        assert group.best is not None
        assert group.best.value == max(values)
    assert found.groups[2].interval is None
    assert (found.groups[1].lacking, len(found.groups[1].runs)) == (1, 4)


def test_the_paired_test_is_that_of_scipy(seeded: Store) -> None:
    test = group_runs(seeded, "", "val_acc", ["lr"], ["seed"]).test
    assert test is not None
    expected = scipy.stats.ttest_rel(ACCURACIES[0.1], ACCURACIES[0.2])
    assert (test.a, test.b, test.pairs) == ((0.2,), (0.1,), 4)
    assert test.p == pytest.approx(expected.pvalue)
    assert test.t == pytest.approx(expected.statistic)
    assert test.difference == pytest.approx(-0.0225)
    other = group_runs(seeded, "", "val_acc", ["lr"], ["seed"], between=("0.1", "0.3"))
    assert other.test is None
    assert "share 1" in str(other.why_no_test)
    with pytest.raises(QueryError, match="no group '0.7': there are 0.1, 0.2, 0.3"):
        group_runs(seeded, "", "val_acc", ["lr"], ["seed"], between=("0.1", "0.7"))


def test_differences_that_are_equal_but_for_rounding_have_no_test() -> None:
    rounded = [0.3 - 0.1, 0.4 - 0.2, 0.9 - 0.7]
    assert len(set(rounded)) > 1
    test = paired_test((1,), (2,), rounded)
    assert (test.t, test.p, test.interval) == (None, None, None)
    assert test.difference == pytest.approx(0.2)
    assert paired_test((1,), (2,), [0.2, 0.20001]).t is not None


def test_what_else_differs_in_a_group_is_named(store: Store) -> None:
    for model, values in {"cnn": [0.9, 0.8], "mlp": [0.7, 0.6, 0.5]}.items():
        for seed, value in enumerate(values):
            params = {"lr": 0.1, "seed": seed, "model": model, "name": f"{model}{seed}", "log_dir": model}
            with store.start_run(params=params) as run:
                run.log_metrics({"val_acc": value})
    asked = ("stats", "--metric", "val_acc", "--by", "params.lr", "--over", "params.seed")
    assert group_runs(store, "", "val_acc", ["lr"], ["seed"]).mixed == ("params.model",)
    told = runlore(*asked).stderr
    assert "2 runs counted with another of the same params.seed." in told
    assert "Runs of one group differ in params.model, too: --by params.model keeps them apart." in told
    assert document(*asked, "--json")["mixed"] == ["params.model"]
    apart = runlore(*asked, "--by", "params.model")
    assert "differ in" not in apart.stderr
    assert "mixed" not in document(*asked, "--by", "params.model", "--json")


def test_of_many_runs_some_of_each_group_are_compared(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The params of all of them were: a minute at 100,000."""
    monkeypatch.setattr(statistics, "MAX_COMPARED", 12)
    for number in range(20):
        place = number // 4  # within its group
        params = {"lr": number % 4, "seed": place, "half": place % 2, "rare": int(place == 2)}
        with store.start_run(params=params) as run:
            run.log_metrics({"val_acc": number})
    assert group_runs(store, "", "val_acc", ["lr"], ["seed"]).mixed == ("params.half",)


def test_several_fields_in_one_are_refused(seeded: Store) -> None:
    for options in (
        ("stats", "-m", "val_acc", "--by", "params.lr,params.model"),
        ("ls", "--group-by", "params.lr,name"),
    ):
        result = runlore(*options)
        assert result.exit_code == 2
        assert "name each by an option of its own" in result.stderr


def test_a_group_is_called_by_its_number_however_it_is_written(seeded: Store) -> None:
    test = group_runs(seeded, "", "val_acc", ["lr"], ["seed"], between=(".1", "2e-1")).test
    assert test is not None
    assert (test.a, test.b) == ((0.1,), (0.2,))


def test_a_seed_that_ran_twice_counts_once(store: Store) -> None:
    for seed, value in ((1, 1.0), (1, 3.0), (2, 6.0)):
        with store.start_run(params={"seed": seed}) as run:
            run.log_metrics({"loss": value})
    (group,) = group_runs(store, "", "loss", [], ["params.seed"]).groups
    assert group.mean == 4.0
    assert group.deviation == pytest.approx(8**0.5)
    (every,) = group_runs(store, "", "loss", []).groups
    assert every.mean == pytest.approx(10 / 3)


def test_last_min_and_max_are_told_apart_and_which_is_best(seeded: Store) -> None:
    printed = runlore("stats", "-m", "val_acc.max", "--by", "params.lr").stdout
    assert "metrics.val_acc.max, best is highest" in printed
    assert "0.99" in printed
    assert "best is lowest" in runlore("stats", "-m", "val/loss", "--by", "lr").stdout
    assert "best is lowest" in runlore("stats", "-m", "val_acc", "--by", "lr", "--best", "min").stdout
    assert [direction(name) for name in ("train_loss", "err", "mAP", "val/f1", "eval_runtime")] == [
        "min", "min", "max", "max", "min",
    ]  # fmt: skip


def test_the_table_and_its_json_say_the_same(seeded: Store) -> None:
    printed = runlore("stats", "--metric", "val_acc", "--by", "params.lr", "--over", "params.seed")
    assert printed.exit_code == 0, printed.output
    assert "paired over 4: 0.1 - 0.2 = -0.0225" in printed.stdout
    assert "1 run without it, or where it is NaN, left out" in printed.stderr
    found = document("stats", "--metric", "val_acc", "--by", "params.lr", "--over", "params.seed", "--json")
    assert [group["by"] for group in found["groups"]] == [{"params.lr": lr} for lr in (0.2, 0.1, 0.3)]
    assert found["test"]["pairs"] == 4
    assert found["groups"][0]["n"] == 4


def test_numbers_are_never_cut_in_a_narrow_terminal(seeded: Store) -> None:
    long = "a-model-whose-name-is-longer-than-any-table-likes"
    with seeded.start_run(params={"model": long, "lr": 0.5}) as run:
        run.log_metrics({"val_acc": 0.123456789, "val/loss": 0.987654321})
    for command in (["stats", "-m", "val_acc", "--by", "model", "--by", "lr"], ["ls", "--group-by", "params.model"]):
        printed = runlore(*command).stdout
        assert "0.12346" in printed
        assert not [word for word in printed.split() if word[0].isdigit() and word.endswith("…")]


def test_what_no_run_has_gets_a_hint(seeded: Store) -> None:
    done = runlore("stats", "-m", "val_ac", "--by", "params.lr")
    assert (done.exit_code, "did you mean metrics.val_acc ?" in done.output) == (2, True)
    done = runlore("stats", "-m", "val_acc", "--by", "params.lrr")
    assert (done.exit_code, "did you mean params.lr ?" in done.output) == (2, True)
    assert "No run fulfils" in runlore("stats", "name == 'x'", "-m", "val_acc").output
    assert runlore("stats", "params.lr ==", "-m", "val_acc").exit_code == 2


def test_values_that_are_not_finite_have_no_interval() -> None:
    assert summarise([1.0, float("inf")]) == (float("inf"), None, None)
    assert summarise([]) == (None, None, None)


def test_runs_that_do_another_again_count_once(seeded: Store) -> None:
    before = document("stats", "-m", "val_acc", "--by", "params.model", "--json")
    seeded.runs("params.model == 'cnn'")[0].set_tags({"reproduces": "another"})
    after = document("stats", "-m", "val_acc", "--by", "params.model", "--json")
    assert after["groups"][0]["n"] == before["groups"][0]["n"] - 1
    assert document("stats", "-m", "val_acc", "--by", "params.model", "--all", "--json") == before


def test_n_counts_replicates_where_several_runs_count_as_one(seeded: Store) -> None:
    for _ in range(2):
        with seeded.start_run(params={"model": "one", "seed": 1}) as run:
            run.log_metrics({"val_acc": 0.5})
    (found,) = document("stats", "params.model == 'one'", "-m", "val_acc", "--over", "params.seed", "--json")["groups"]
    assert (found["n"], found["ci95"], len(found["runs"])) == (1, None, 2)


def test_ls_groups_runs(seeded: Store) -> None:
    printed = runlore("ls", "--group-by", "params.model").stdout
    assert "params.model" in printed.splitlines()[0]
    assert {line.split()[0]: line.split()[1] for line in printed.splitlines()[1:3]} == {"cnn": "9", "mlp": "1"}
    (found,) = document("ls", "--group-by", "params.model", "-c", "val_acc.max", "--json")
    assert found["metric"] == "metrics.val_acc.max"
    assert [group["n"] for group in found["groups"]] == [9, 0]
    done = runlore("ls", "--group-by", "params.model", "-c", "params.lr")
    assert (done.exit_code, "is no metric" in done.output) == (2, True)


def test_columns_may_be_bare_names_with_a_slash(seeded: Store) -> None:
    printed = runlore("ls", "-c", "val/loss", "-c", "lr").stdout
    assert "val/loss" in printed.splitlines()[0]
    assert "0.04" in printed
    done = runlore("ls", "-c", "val/lss")
    assert done.exit_code == 2


def filled(store: Store, rows: Any) -> None:
    for group, seed, value in rows:
        with store.start_run(params={"lr": group, **({} if seed is None else {"seed": seed})}) as run:
            run.log_metrics({"m": value})


def test_infinite_and_huge_values_are_told_and_tested_without(store: Store) -> None:
    """Once, infinities of both signs, or a sum that overflows, ended the command in a traceback."""
    inf = float("inf")
    filled(store, [("x", 1, inf), ("x", 2, 1.0), ("x", 3, 2.0), ("y", 1, inf), ("y", 2, 7.0), ("y", 3, 9.0)])
    filled(store, [("both", 1, inf), ("both", 2, -inf), ("huge", 1, 1e308), ("huge", 2, 1.7e308)])
    found = group_runs(store, "", "m", ["lr"], ["seed"], between=("x", "y"))
    assert found.test is not None
    assert (found.test.pairs, found.test.difference) == (2, 6.5)
    for command in (["stats", "-m", "m", "--by", "lr"], ["ls", "--group-by", "lr", "-c", "m"]):
        assert runlore(*command).exit_code == 0


def test_runs_without_a_seed_are_not_paired(store: Store) -> None:
    """Once, two runs without a seed counted as a pair."""
    filled(store, [("x", None, 1.0), ("x", 1, 2.0), ("y", None, 3.0), ("y", 1, 5.0)])
    found = group_runs(store, "", "m", ["lr"], ["seed"])
    assert found.test is None
    assert "share 1" in str(found.why_no_test)
    done = runlore("stats", "-m", "m", "--by", "lr", "--between", "x", "y")
    assert (done.exit_code, "needs --over" in done.output) == (2, True)


def test_different_values_print_differently(store: Store) -> None:
    """Once, keys were printed with five digits, and texts without quotes."""
    filled(store, [(1, 1, 1.0), ("1", 1, 2.0), (0.1, 1, 3.0), (0.1 + 1e-16, 1, 4.0), (0.10000000001, 1, 5.0)])
    printed = [line.split()[0] for line in runlore("stats", "-m", "m", "--by", "lr").output.splitlines()[2:]]
    assert len(set(printed)) == 5, printed
    names = [run.id for run in store.runs("params.lr == 1 or params.lr == '1'")]
    line = next(line for line in runlore("diff", *names).output.splitlines() if line.startswith("  lr"))
    assert line.split() in (["lr", "'1'", "1"], ["lr", "1", "'1'"])


def test_values_whose_squares_are_beyond_all_floats_have_no_interval() -> None:
    """Once, squares that overflow ended the command in a traceback."""
    assert summarise([1e155, -1e155]) == (0.0, None, None)


def test_only_runs_that_finished_count_and_the_others_are_named(store: Store) -> None:
    for value in (1.0, 2.0, 3.0):
        with store.start_run("well", params={"lr": 1}) as run:
            run.log_metrics({"m": value})
    with pytest.raises(ValueError, match="diverged"), store.start_run("broken", params={"lr": 1}) as run:
        run.log_metrics({"m": 100.0})
        raise ValueError("diverged")
    done = runlore("stats", "-m", "m", "--by", "lr")
    assert "1 run left out, not finished: broken (failed)" in done.stderr
    assert done.stdout.splitlines()[2].split()[:4] == ["1", "3", "2", "1"], "the value, n, mean, and the deviation"
    told = document("stats", "-m", "m", "--by", "lr", "--json")
    assert [item["name"] for item in told["left_out"]] == ["broken"]
    asked = document("stats", 'status in ["finished", "failed"]', "-m", "m", "--by", "lr", "--json")
    assert (asked["groups"][0]["n"], "left_out" in asked) == (4, False)


def test_groups_of_ls_count_as_those_of_stats(store: Store) -> None:
    """`ls --group-by` counted runs of every status."""
    for value in (1.0, 3.0):
        with store.start_run("well", params={"lr": 1}) as run:
            run.log_metrics({"m": value})
    with pytest.raises(ValueError, match="diverged"), store.start_run("broken", params={"lr": 1}) as run:
        run.log_metrics({"m": 100.0})
        raise ValueError("diverged")
    told = runlore("ls", "--group-by", "params.lr", "-c", "m")
    assert told.stderr == runlore("stats", "-m", "m", "--by", "lr").stderr
    assert "1 run left out, not finished: broken (failed)" in told.stderr
    assert told.stdout.splitlines()[1].split()[:3] == ["1", "2", "2"], "the value, the runs, and their mean"
    (found,) = document("ls", "--group-by", "params.lr", "-c", "m", "--json")
    assert [item["name"] for item in found["left_out"]] == ["broken"]
    asked = runlore("ls", "status in ['finished', 'failed']", "--group-by", "params.lr", "-c", "m")
    assert (asked.stdout.splitlines()[1].split()[1], asked.stderr) == ("3", "")
    (found,) = document("ls", "--group-by", "status", "-c", "m", "--json")
    assert {group["by"]["status"]: group["n"] for group in found["groups"]} == {"finished": 2, "failed": 1}


@pytest.fixture
def grouped(store: Store) -> Store:
    """Two runs of each of three models, the worst and best of which sort otherwise than their names do."""
    for model, best in (("b", 0.9), ("a", 0.5), ("c", 0.7)):
        for seed in range(2):
            with store.start_run(params={"model": model, "seed": seed}, tags={"kind": model * 2}) as run:
                run.log_metrics({"acc": best + seed / 100, "time": ord(model)})
    return store


def models(*arguments: str) -> list[str]:
    (found,) = document("ls", "--group-by", "model", "-c", "acc", "--json", *arguments)
    return [group["by"]["model"] for group in found["groups"]]


def test_groups_are_sorted_as_asked(grouped: Store) -> None:
    """`--sort` once did nothing there."""
    assert models() == ["b", "c", "a"], "the best mean first"
    assert models("--sort", "metrics.acc") == ["a", "c", "b"]
    assert models("--sort", "-params.model") == ["c", "b", "a"]
    assert models("--sort", "metrics.time", "-n", "2") == ["a", "b"]
    printed = runlore("ls", "--group-by", "model", "-c", "acc", "--sort", "params.model").stdout
    assert [line.split()[0] for line in printed.splitlines()[1:4]] == ["a", "b", "c"]
    refused = runlore("ls", "--group-by", "model", "--sort", "started")
    assert (refused.exit_code, "sort by params.model or a metric, by its mean" in refused.output) == (2, True)


def test_a_bare_name_stands_for_the_same_in_columns_and_groups(grouped: Store) -> None:
    """A column headed `kind` was that of a tag, while `--group-by kind` asked for a param."""
    assert runlore("ls", "-c", "kind").stdout.splitlines()[0].split()[-1] == "kind"
    (found,) = document("ls", "--group-by", "kind", "-c", "acc", "--json")
    assert [group["by"]["kind"] for group in found["groups"]] == ["bb", "cc", "aa"]
    with grouped.start_run("both", params={"kind": "param"}, tags={"kind": "tag"}):
        pass
    assert "param" in runlore("ls", "-c", "kind").stdout
    assert "tags.kind" in runlore("ls", "-c", "tags.kind").stdout.splitlines()[0]


def test_groups_by_parent_are_named_and_told_apart_where_names_are_the_same(store: Store) -> None:
    for name, start in (("sgd", 1.0), ("adam", 3.0), ("adam", 5.0)):
        with store.start_run(name) as parent:
            for seed in (1, 2):
                with store.start_run(f"fold-{seed}", parent=parent.id, params={"seed": seed}) as run:
                    run.log_metrics({"m": start + seed**2})
    short = [run.id[-6:] for run in store.runs("name == 'adam'")]
    asked = ("--by", "parent", "parent is not None")
    printed = runlore("stats", "-m", "m", *asked, "--over", "seed", "--between", "sgd", short[0]).output
    assert [line.strip().split("  ")[0] for line in printed.splitlines()[2:5]] == [
        f"adam ({short[0]})", f"adam ({short[1]})", "sgd",
    ]  # fmt: skip
    assert f"adam ({short[0]}) - sgd = 4" in printed
    lines = runlore("ls", "--group-by", "parent", "parent is not None").output.splitlines()
    assert sorted(line.strip().split("  ")[0] for line in lines[1:4]) == sorted(
        [f"adam ({short[0]})", f"adam ({short[1]})", "sgd"]
    )
