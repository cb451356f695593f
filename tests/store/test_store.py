"""A store: where it is found, which run a part of an id means, and named questions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runlore
from runlore import Store, open_store
from runlore.errors import AmbiguousRun, FormatError, RunloreWarning, RunNotFound, StoreRefused
from runlore.index.contents import count_linked, count_pending, group_stored
from runlore.index.keys import count_keys
from runlore.index.select import list_names


def test_a_question_gets_its_arguments_and_the_newest_state(store: Store) -> None:
    with store.start_run("first") as first:
        pass
    assert (store.ask(list_names), store.ask(count_linked, "based_on", first.id)) == (["first"], 0)
    with store.start_run("second") as run:
        run.link("based_on", first.id)
    assert store.ask(count_linked, kind="based_on", target=first.id) == 1


def test_a_store_that_does_not_exist_answers_as_one_without_runs(store: Store) -> None:
    assert (store.ask(list_names), store.ask(count_pending), store.ask(group_stored)) == ([], 0, {})
    assert set(store.ask(count_keys)) == {"params", "metrics", "summary", "tags", "env", "data"}
    assert not store.root.exists()
    store.start_run("first").finish()
    assert store.ask(list_names) == ["first"]


def fill(store: Store, count: int) -> None:
    for number in range(count):
        store.start_run(f"run-{number}").finish()


def test_a_part_of_an_id_or_a_name_finds_a_run(store: Store) -> None:
    fill(store, 3)
    run = store.run("run-1")
    for part in (run.id, run.id[-8:], run.id[3:], run.id.upper()[-8:]):
        assert store.run(part) == run


def test_an_ambiguous_part_lists_its_candidates(store: Store) -> None:
    for _ in range(2):
        store.start_run("same").finish()
    with pytest.raises(AmbiguousRun, match="matches 2 runs") as caught:
        store.run("same")
    assert caught.value.candidates == [run.id for run in store.runs()]
    assert all(candidate in str(caught.value) for candidate in caught.value.candidates)


@pytest.mark.parametrize("part", ["nothing", "", "%", "_", "'", "run-1; DROP TABLE runs"])
def test_an_unknown_part_says_so(store: Store, part: str) -> None:
    fill(store, 2)
    with pytest.raises(RunNotFound, match="no run matches"):
        store.run(part)


def test_a_store_of_a_newer_format_is_refused_with_the_way_out(store: Store) -> None:
    fill(store, 1)
    (store.root / "format").write_text("99\nsomeid\n")
    with pytest.raises(FormatError, match=r"format '99'.*pip install -U runlore"):
        open_store(store.root)


def test_a_store_of_somebody_else_is_used_only_when_named(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Store(tmp_path / "project" / ".runlore")
    fill(theirs, 1)
    os.chown(theirs.root, 12345, 12345)
    monkeypatch.delenv("RUNLORE_STORE")
    monkeypatch.chdir(tmp_path / "project")
    with pytest.raises(StoreRefused, match="belongs to user 12345"):
        open_store()
    assert len(open_store(theirs.root).runs()) == 1


def test_a_folder_with_other_things_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").touch()
    with pytest.raises(StoreRefused, match="not a store"):
        open_store(tmp_path / "photos")


def test_a_store_that_has_lost_its_format_is_one(tmp_path: Path) -> None:
    """What cleans /tmp of old files takes that one first; nothing was read then, and nothing recorded any more."""
    root = tmp_path / "store"
    for name in ("first", "second"):
        with open_store(root).start_run(name):
            pass
        assert [run.name for run in open_store(root).runs()] == ["second", "first"][-2 if name == "second" else -1 :]
        (root / "format").unlink()
        (root / ".gitignore").unlink()
        assert open_store(root).run(name).status == "finished"
    assert not (root / "format").exists()  # whoever reads writes nothing but the index
    assert len(open_store(root).runs()) == 2


def test_a_folder_with_runs_of_something_else_is_no_store(tmp_path: Path) -> None:
    (tmp_path / "runs" / "2026-11" / "03").mkdir(parents=True)
    (tmp_path / "runs" / "2026-11" / "03" / "events.out.tfevents.0").write_bytes(b"")
    assert not open_store(tmp_path).exists
    (tmp_path / "train.py").touch()
    with pytest.raises(StoreRefused):
        open_store(tmp_path)


def test_a_store_is_found_upwards_and_made_beside_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNLORE_STORE")
    inner = tmp_path / "project" / "deep" / "inside"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    (tmp_path / "project" / ".git").mkdir()
    assert open_store().root == tmp_path / "project" / ".runlore"
    runlore.start_run("x").finish()
    assert (tmp_path / "project" / ".runlore").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "project" / ".runlore" / ".gitignore").read_text() == "*\n"
    assert open_store().run("x").name == "x"


def test_an_unknown_scheme_names_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(runlore.RunloreError, match="no backend for 's9'"):
        open_store("s9://bucket")
    assert open_store(f"file://{tmp_path}/x").root == tmp_path / "x"


def test_settings_come_from_the_project_and_the_environment_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "project" / "deep").mkdir(parents=True)
    settings = '[tool.runlore]\nexperiment = "from-file"\nstore = "elsewhere"\nquiet = true\n'
    (tmp_path / "project" / "pyproject.toml").write_text(settings)
    monkeypatch.chdir(tmp_path / "project" / "deep")
    monkeypatch.delenv("RUNLORE_STORE")
    monkeypatch.delenv("RUNLORE_QUIET")
    with runlore.start_run("a"):
        pass
    store = runlore.open_store()
    assert store.root == tmp_path / "project" / "elsewhere"
    assert store.run("a").experiment == "from-file"
    monkeypatch.setenv("RUNLORE_EXPERIMENT", "from-environment")
    runlore.start_run("b").finish()
    assert store.run("b").experiment == "from-environment"
    monkeypatch.setenv("RUNLORE_QUIET", "perhaps")
    with pytest.warns(RunloreWarning, match="RUNLORE_QUIET is 'perhaps': write 1 or 0"):
        runlore.start_run("c").finish()


def test_a_store_setting_that_is_a_url_is_understood_or_refused(store: Store, tmp_path: Path) -> None:
    """No folder of that name is made in the working directory."""
    command = [sys.executable, "-m", "runlore", "ls", "--json"]
    for place, status in ((f"file://{store.root}", 0), ("s3://bucket/x", 1)):
        environment = {**os.environ, "RUNLORE_STORE": place}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == status, done.stderr
    assert not list(tmp_path.glob("s3*"))


def test_what_cannot_be_added_says_so(store: Store, tmp_path: Path) -> None:
    """The note was once lost without a word."""
    with store.start_run("fixed"):
        pass
    found = store.run("fixed")
    day = next(store.root.glob("runs/*/*"))
    moved = tmp_path / "moved"
    day.rename(moved)
    day.touch()
    with pytest.raises(RunNotFound, match=f"run {found.id} is not in"):
        found.note("lost?")


def test_a_recorded_run_outlives_the_sealing_of_its_log(store: Store) -> None:
    """The log that it had looked at is gone once the run has ended."""
    run = store.start_run("sealed")
    run.log_metrics({"a": 1.0})
    found = store.run("sealed")
    assert found.artifacts == []
    run.finish()
    assert found.metrics["a"].values.tolist() == [1.0]
