"""Removing runs and taking it back, freeing room, tags and notes, doctor and plugins."""

import json
import os
import time
from pathlib import Path

import pytest

from runlore import Store
from runlore.maintenance.garbage import collect, find_garbage
from runlore.maintenance.removal import NothingToUndo, StillRunning, remove, undo
from tests.cli.test_cli import document, runlore
from tests.plugins.test_environment import plugin


def age(root: Path) -> None:
    """Let every file be a day old."""
    for path in root.rglob("*"):
        os.utime(path, (time.time() - 86400,) * 2)


def blobs(store: Store) -> set[str]:
    return {path.name for path in (store.root / "blobs").rglob("*") if path.is_file()}


@pytest.fixture
def family(store: Store, tmp_path: Path) -> Store:
    """A parent with two children, one of which has a child, and somebody else."""
    with store.start_run("parent") as parent:
        parent.log_metrics({"loss": 1.0})
        (tmp_path / "model").write_bytes(b"the parent's")
        parent.log_artifact(tmp_path / "model")
        with store.start_run("child-1", parent=parent) as child:
            store.start_run("grandchild", parent=child).finish()
        store.start_run("child-2", parent=parent).finish()
    (tmp_path / "model").write_bytes(b"somebody else's")
    with store.start_run("else") as other:
        other.log_artifact(tmp_path / "model")
    return store


def names(store: Store) -> set[str]:
    return {run.name for run in store.runs()}


def test_removing_takes_the_children_along_and_undo_brings_all_back(family: Store) -> None:
    before = {run.id: (run.status, run.started, dict(run.params)) for run in family.runs()}
    removed = remove(family, [family.run("parent")])
    assert {run.name for run in removed} == {"parent", "child-1", "grandchild", "child-2"}
    assert names(family) == {"else"}
    assert len(undo(family)) == 4
    assert {run.id: (run.status, run.started, dict(run.params)) for run in family.runs()} == before
    assert family.run("parent").artifact("model").read_bytes() == b"the parent's"
    with pytest.raises(NothingToUndo):
        undo(family)


def test_undo_goes_back_one_removal_at_a_time(family: Store) -> None:
    remove(family, [family.run("child-2")])
    remove(family, [family.run("else")])
    undo(family)
    assert "else" in names(family)
    assert "child-2" not in names(family)
    undo(family)
    assert "child-2" in names(family)


def test_a_run_that_is_being_written_is_not_removed(family: Store) -> None:
    with family.start_run("busy"), pytest.raises(StillRunning, match="'busy' .* is still being written"):
        remove(family, [family.run("else"), family.run("busy")])
    assert {"busy", "else"} <= names(family)


def test_room_is_freed_of_what_no_run_names_and_of_nothing_else(family: Store) -> None:
    orphan = family.root / "blobs" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x" * 1000)
    draft = family.root / "runs" / ".forgotten.tmp"
    draft.write_bytes(b"y" * 10)
    needed = blobs(family) - {orphan.name}
    assert find_garbage(family).size == 0, "too young"
    age(family.root)
    garbage = find_garbage(family)
    assert (garbage.size, [path.name for path, _ in garbage.blobs]) == (1010, [orphan.name])
    assert collect(family, garbage) == 1010
    assert blobs(family) == needed
    assert not draft.exists()
    assert family.run("parent").artifact("model").read_bytes() == b"the parent's"


def test_room_of_removed_runs_is_freed_with_what_only_they_named(family: Store) -> None:
    kept = family.run("else").artifact("model").sha256
    gone = family.run("parent").artifact("model").sha256
    remove(family, [family.run("parent")])
    age(family.root)
    dry = document("gc", "--dry-run", "--json")
    assert dry["removed"]["files"] == 4
    assert gone in blobs(family)
    assert document("gc", "--json")["bytes"] == dry["bytes"] > 0
    assert kept in blobs(family)
    assert gone not in blobs(family)
    with pytest.raises(NothingToUndo):
        undo(family)
    assert document("gc", "--json")["bytes"] == 0
    assert family.run("else").artifact("model").read_bytes() == b"somebody else's"
    assert family.run("else").environment["packages"]


def test_content_that_is_kept_again_counts_as_new(family: Store, tmp_path: Path) -> None:
    remove(family, [family.run("parent")])
    age(family.root)
    garbage = find_garbage(family)
    (tmp_path / "again").write_bytes(b"the parent's")
    with family.start_run("again") as run:
        run.log_artifact(tmp_path / "again")
    collect(family, garbage)
    assert family.run("again").artifact("again").read_bytes() == b"the parent's"


def test_no_content_is_freed_while_a_file_cannot_be_read(family: Store) -> None:
    orphan = family.root / "blobs" / "ab" / ("ab" + "0" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"x")
    path = next((family.root / "runs").rglob(f"{family.run('else').id}*.run"))
    data = bytearray(path.read_bytes())
    data[-100] ^= 0xFF
    path.write_bytes(data)
    age(family.root)
    garbage = find_garbage(family)
    assert garbage.blobs == ()
    assert "blobs are left alone" in garbage.kept[0]


def test_rm_undo_and_gc_say_what_they_did(family: Store) -> None:
    assert "removed child-1" in runlore("rm", "child-1").output
    assert "grandchild" not in names(family)
    assert "is back" in runlore("undo").output
    assert runlore("undo").exit_code == 1
    removed = document("rm", "--where", "like(name, 'child%')", "--json")
    assert document("rm", "--where", "name == 'none'", "--json") == []
    told = document("undo", "--dry-run", "--json")
    assert sorted(item["run"] for item in told) == sorted(removed)
    assert all(item["bytes"] > 0 for item in told)
    assert f"would bring back {removed[0]}, " in runlore("undo", "--dry-run").output
    assert sorted(document("undo", "--json")) == sorted(removed)
    assert runlore("undo", "--dry-run").exit_code == 1
    assert runlore("rm").exit_code == 2
    assert runlore("rm", "nobody").exit_code == 1
    assert runlore("rm", "--where", "nonsense ==").exit_code == 2
    done = runlore("gc", "--dry-run")
    assert "would free 0 bytes" in done.output


def test_tags_and_notes_are_added_to_finished_runs(family: Store) -> None:
    assert runlore("tag", "else", "team=vision", "url=a=b").output == "team=vision\nurl=a=b\n"
    assert document("tag", "else", "--remove", "url", "--json") == {"team": "vision"}
    assert runlore("tag", "else").output == "team=vision\n"
    assert runlore("tag", "else", "novalue").exit_code == 2
    missing = runlore("tag", "else", "--remove", "nothing")
    assert (missing.exit_code, "it has team" in missing.output) == (1, True)
    assert runlore("note", "else", "worse", "than", "it looks").exit_code == 0
    assert runlore("note", "else", " ").exit_code == 2
    found = family.run("else")
    assert (found.notes, found.tags, found.status) == (["worse than it looks"], {"team": "vision"}, "finished")


def test_doctor_says_what_is_captured_and_how_the_store_is(family: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = document("doctor", "--json")
    assert set(found) == {"captured here", "frameworks", "settings", "store"}
    assert found["store"]["runs"]["count"] == 5
    assert found["store"]["place"]["path"] == str(family.root)
    assert found["store"]["size"]["bytes"]["runs"] > 0
    assert found["store"]["pending hashes"]["count"] == 0
    assert found["captured here"]["output"]["state"] == "off"
    assert "git" in found["captured here"]["code"]["text"]
    assert found["frameworks"]["sklearn"]["state"] == "ok"
    monkeypatch.setenv("RUNLORE_OUTPUT", "perhaps")
    assert document("doctor", "--json")["captured here"]["output"]["state"] == "bad"
    assert "what is printed" in runlore("doctor").output or "perhaps" in runlore("doctor").output


def test_doctor_works_without_a_store(store: Store) -> None:
    found = document("doctor", "--json")
    assert found["store"]["runs"]["text"].startswith("the store is not there yet")
    assert not store.exists


def test_plugins_lists_names_versions_hooks_states_and_errors(tmp_path: Path, python: object) -> None:
    found = {item["name"]: item for item in document("plugins", "--json")}
    assert {"code", "csv", "data", "environment", "progress", "secrets", "sklearn", "system"} <= set(found)
    assert found["secrets"]["hooks"] == ["runlore_rewrite_event", "runlore_rewrite_file"]
    assert (found["csv"]["state"], found["data"]["state"]) == ("off", "loaded")
    assert found["data"]["version"]
    assert "rewrite_event" in runlore("plugins").output


def test_plugins_names_what_is_broken_or_switched_off(tmp_path: Path) -> None:
    import subprocess
    import sys

    path = plugin(tmp_path, "broken", "raise ValueError('by design')")
    environment = {**os.environ, "PYTHONPATH": path, "RUNLORE_DISABLED": "data"}
    command = [sys.executable, "-m", "runlore", "plugins", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert (found["broken"]["state"], found["broken"]["error"]) == ("failed", "ValueError: by design")
    assert found["data"]["state"] == "disabled"
    assert "plugin 'broken' can't be loaded" in done.stderr


# What is kept


@pytest.fixture
def four(store: Store, tmp_path: Path) -> Store:
    """Runs with a model each, the last two with the same one; accuracies 0.1 to 0.4."""
    for number in range(4):
        with store.start_run(f"run-{number}", params={"lr": number}) as run:
            run.log_metrics({"acc": (number + 1) / 10, "loss": 1 - number / 10})
            (tmp_path / "model").write_bytes(b"x" * 1000 * (min(number, 2) + 1))
            run.log_artifact(tmp_path / "model", kind="model")
            (tmp_path / "notes.txt").write_text(f"{number}")
            run.log_artifact(tmp_path / "notes.txt")
    return store


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


def test_a_pinned_run_is_not_removed_and_a_dry_run_removes_nothing(four: Store) -> None:
    runlore("pin", "run-2")
    done = runlore("rm", "--where", "params.lr >= 0")
    assert (done.exit_code, "is pinned" in done.output, len(four.runs())) == (1, True, 4)
    printed = runlore("rm", "run-0", "--dry-run").output
    assert "would remove run-0" in printed
    assert "1001 bytes" in printed
    assert len(four.runs()) == 4
    runlore("pin", "--off", "run-2")
    assert runlore("rm", "run-2").exit_code == 0
    assert len(four.runs()) == 3


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
    age(four.root)
    for metric in ("ac", "duration", "params.lr"):
        done = runlore("gc", "--keep-best", "1", "-m", metric)
        assert (done.exit_code, "nothing would be kept" in done.output) == (2, True), metric
    assert len(kept_models(four)) == 4


def test_a_content_that_is_also_another_file_of_the_run_stays(store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        (tmp_path / "model").write_bytes(b"x" * 100)
        run.log_artifact(tmp_path / "model", kind="model")
        run.log_artifact(tmp_path / "model", name="report")
    age(store.root)
    assert document("gc", "--older-than", "1s", "--json")["dropped"] == []
    assert store.run("a").artifact("report").stored


def test_what_is_dropped_is_told_also_while_it_is_young(four: Store) -> None:
    printed = runlore("gc", "--older-than", "0s").output
    assert "dropped 1 file of run-0" in printed
    assert "freed 0 bytes" in printed
    assert "more: with a gc an hour after" in printed


def test_runs_without_the_metric_are_none_of_the_rules_business(four: Store, tmp_path: Path) -> None:
    with four.start_run("another model") as run:
        (tmp_path / "other").write_bytes(b"y" * 50)
        run.log_artifact(tmp_path / "other", kind="model")
        run.log_metrics({"something": 1.0})
    age(four.root)
    found = document("gc", "--keep-best", "0", "-m", "acc", "--dry-run", "--json")
    assert four.run("another model").id not in {item["run"] for item in found["dropped"]}
    assert len(found["dropped"]) == 4


def test_the_best_are_those_that_have_something_to_keep(store: Store) -> None:
    for name, value in (("a", 0.9), ("b", 0.5), ("search", 0.95)):
        with store.start_run(name) as run:
            run.log_metrics({"acc": value})
            if name != "search":
                run.run_log.keep_bytes(name.encode(), name="model.bin", kind="model")
    age(store.root)
    found = document("gc", "--keep-best", "1", "-m", "acc", "--dry-run", "--json")
    assert [item["run"] for item in found["dropped"]] == [store.run("b").id]


def test_a_dry_run_frees_what_the_rules_free_also_of_folders_and_of_shared_files(store: Store, tmp_path: Path) -> None:
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
