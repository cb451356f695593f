"""Rules that keep the files of the best and the youngest runs, and drop the others."""

from pathlib import Path

import pytest

from runlore import Store
from tests.commands import document, runlore
from tests.maintenance.files import age, blobs


def kept_models(store: Store) -> list[str]:
    return sorted(run.name for run in store.runs() if run.artifact("model").stored)


def test_gc_keeps_the_best_runs_models_and_a_dry_run_says_the_bytes_that_it_frees(four: Store) -> None:
    age(four.root)
    before = blobs(four)
    command = ["gc", "--keep-best", "1", "--metric", "acc"]
    promised = document(*command, "--dry-run", "--json")
    assert (blobs(four), kept_models(four)) == (before, [f"run-{number}" for number in range(4)])
    assert promised["bytes"] == 3000, "those of runs 0 and 1; run 3 still needs the one of run 2"
    age(four.root)
    freed = document(*command, "--json")
    assert (freed["bytes"], kept_models(four)) == (3000, ["run-3"])
    assert len(before - blobs(four)) == 2
    assert four.run("run-3").artifact("model").read_bytes() == b"x" * 3000
    assert four.run("run-0").artifact("model").why == "dropped by runlore gc"
    assert four.run("run-0").artifact("notes.txt").read_bytes() == b"0", "only models and checkpoints go"
    assert four.run("run-0").metrics["acc"].last == 0.1
    four.reindex()
    assert kept_models(four) == ["run-3"]


def test_the_rules_leave_young_pinned_and_lower_is_better_runs_alone(four: Store) -> None:
    assert document("gc", "--older-than", "1h", "--json")["bytes"] == 0
    assert kept_models(four) == [f"run-{number}" for number in range(4)]
    assert "pinned run-1" in runlore("pin", "run-1").output
    age(four.root)
    printed = runlore("gc", "--keep-best", "1", "--metric", "loss", "--dry-run").output
    assert "would drop 1 file of run-0" in printed
    assert "run-1" not in printed
    assert "run-3" not in printed
    assert runlore("gc", "--keep-best", "1", "--metric", "loss", "--where", "params.lr < 2").exit_code == 0
    assert kept_models(four) == ["run-1", "run-2", "run-3"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--keep-best", "1"], "--keep-best needs --metric"),
        (["--older-than", "soon"], "--older-than is 'soon'"),
        (["--where", "params.lr < 1"], "name one of them"),
    ],
)
def test_rules_that_say_too_little_are_refused(four: Store, arguments: list[str], message: str) -> None:
    done = runlore("gc", *arguments)
    assert (done.exit_code, message in done.output) == (2, True)


def test_a_content_that_is_written_again_while_it_is_dropped_stays(four: Store, tmp_path: Path) -> None:
    with four.start_run("writing") as run:
        (tmp_path / "model").write_bytes(b"x" * 1000)
        age(four.root)
        run.log_artifact(tmp_path / "model", kind="model")
        runlore("gc", "--older-than", "0s")
        assert four.run(run).artifact("model").read_bytes() == b"x" * 1000
    assert "run-0" not in kept_models(four)


def test_a_metric_that_nobody_has_drops_nothing(four: Store) -> None:
    """Once, a misspelled metric kept nothing: the rule dropped every model."""
    age(four.root)
    for metric in ("ac", "duration", "params.lr"):
        done = runlore("gc", "--keep-best", "1", "-m", metric)
        assert (done.exit_code, "nothing would be kept" in done.output) == (2, True), metric
    assert len(kept_models(four)) == 4


def test_a_content_that_is_also_another_file_of_the_run_stays(store: Store, tmp_path: Path) -> None:
    """Once, a file that the run had also recorded as a report was dropped as its model."""
    with store.start_run("a") as run:
        (tmp_path / "model").write_bytes(b"x" * 100)
        run.log_artifact(tmp_path / "model", kind="model")
        run.log_artifact(tmp_path / "model", name="report")
    age(store.root)
    assert document("gc", "--older-than", "1s", "--json")["dropped"] == []
    assert store.run("a").artifact("report").stored


def test_what_is_dropped_is_told_also_while_it_is_young(four: Store) -> None:
    """Once, nothing was said of files that were dropped while they were too young to be deleted."""
    printed = runlore("gc", "--older-than", "0s").output
    assert "dropped 1 file of run-0" in printed
    assert "freed 0 bytes" in printed
    assert "more: with a gc an hour after" in printed


def test_runs_without_the_metric_are_none_of_the_rules_business(four: Store, tmp_path: Path) -> None:
    """Once, a rule for one metric dropped the models of runs that don't have it."""
    with four.start_run("another model") as run:
        (tmp_path / "other").write_bytes(b"y" * 50)
        run.log_artifact(tmp_path / "other", kind="model")
        run.log_metrics({"something": 1.0})
    age(four.root)
    found = document("gc", "--keep-best", "0", "-m", "acc", "--dry-run", "--json")
    assert four.run("another model").id not in {item["run"] for item in found["dropped"]}
    assert len(found["dropped"]) == 4


def test_the_best_are_those_that_have_something_to_keep(store: Store) -> None:
    """Once, places were kept for runs that have no files, such as searches."""
    for name, value in (("a", 0.9), ("b", 0.5), ("search", 0.95)):
        with store.start_run(name) as run:
            run.log_metrics({"acc": value})
            if name != "search":
                run.run_log.keep_bytes(name.encode(), name="model.bin", kind="model")
    age(store.root)
    found = document("gc", "--keep-best", "1", "-m", "acc", "--dry-run", "--json")
    assert [item["run"] for item in found["dropped"]] == [store.run("b").id]


def test_a_dry_run_frees_what_the_rules_free_also_of_folders_and_of_shared_files(store: Store, tmp_path: Path) -> None:
    """A dry run counts neither the files that other folders share nor those that another artifact needs."""
    for number in range(25):
        folder = tmp_path / f"checkpoint-{number}"
        folder.mkdir()
        (folder / "config.json").write_text("the same for all")
        (folder / "weights").write_text(f"those of {number}" * 50)
        with store.start_run(f"run-{number}") as run:
            run.log_metrics({"acc": float(number)})
            run.log_artifact(folder, kind="checkpoint")
            if number == 3:
                run.log_artifact(folder / "weights", kind="file")
    age(store.root)
    rule = ("gc", "--keep-best", "2", "--metric", "acc")
    printed = runlore(*rule, "--dry-run").output
    assert printed.count("would drop 1 file of run-") == 20
    assert "would drop files of 3 more runs" in printed
    told = document(*rule, "--dry-run", "--json")
    assert told["blobs"]["files"] == 22, "23 runs, one of which needs its weights as another file"
    done = document(*rule, "--json")
    assert (done["bytes"], len(done["dropped"])) == (told["bytes"], 23)
    again = document(*rule, "--dry-run", "--json")
    assert (again["bytes"], again["dropped"]) == (0, [])
    assert store.run("run-3").artifact("weights").read_bytes() == b"those of 3" * 50
    store.run("run-24").artifact("checkpoint-24").restore(tmp_path / "out")
    assert (tmp_path / "out" / "checkpoint-24" / "config.json").read_text() == "the same for all"
