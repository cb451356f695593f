"""Questions about contents."""

import hashlib
from pathlib import Path

import pytest

from runlore import Store
from runlore.index import contents
from runlore.index.contents import Similar, Use


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> Store:
    """Three runs: the first two write a model of the same content, the third reads it and writes a folder."""
    (tmp_path / "model").write_text("weights")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part").write_text("part")
    for name, kind in (("first", "checkpoint"), ("second", "file")):
        with store.start_run(name) as run:
            run.log_artifact(tmp_path / "model", kind=kind, step=7)
            run.log_artifact(tmp_path / "folder" / "part", name="loss.fingerprint")
    with store.start_run("third") as run:
        run.log_data("base", tmp_path / "model")
        run.log_artifact(tmp_path / "folder", kind="model")
        run.log_artifact(tmp_path / "folder" / "part", keep=False)
    return store


def test_who_wrote_and_read_a_content_is_found_by_the_beginning_of_its_hash(filled: Store) -> None:
    first, second, third = (filled.run(name).id for name in ("first", "second", "third"))
    uses = [Use(third, "read", "base", -1), Use(second, "wrote", "model", 0), Use(first, "wrote", "model", 0)]
    assert filled.ask(contents.find_uses, sha256("weights")[:8]) == uses
    assert filled.ask(contents.find_writers, sha256("weights")) == [(first, 0), (second, 0)]
    assert filled.ask(contents.find_readers, sha256("weights")) == [third]


def test_a_file_in_a_folder_and_an_artifact_named_like_a_fact_of_data_keep_their_names(filled: Store) -> None:
    names = {use.name for use in filled.ask(contents.find_uses, sha256("part"))}
    assert names == {"part", "loss.fingerprint"}


def test_exact_contents_tell_whether_a_run_wrote_them(filled: Store) -> None:
    members = [sha256("unknown"), sha256("part"), sha256("weights")]
    assert filled.ask(contents.find_exact, sha256("weights"), members) == ([sha256("weights")], True, members[1:])
    assert filled.ask(contents.find_exact, sha256("unknown"), []) == ([], False, [])
    several = filled.ask(contents.find_exact, "", [])
    assert len(several.hashes) > 2
    assert not several.written


def test_the_newest_checkpoint_goes_before_newer_files(filled: Store) -> None:
    assert filled.ask(contents.find_checkpoint, sha256("weights")) == (filled.run("first").id, 7)
    assert filled.ask(contents.find_checkpoint, sha256("unknown")) is None


def test_files_without_a_hash_are_pending_and_found_by_size(filled: Store) -> None:
    third = filled.run("third").id
    assert (filled.ask(contents.count_pending), filled.ask(contents.list_pending)) == (1, [third])
    assert (third, True) in filled.ask(contents.find_by_size, len("part"))
    assert filled.ask(contents.find_by_size, 12345) == []


def test_similar_artifacts_are_those_of_the_newest_runs(filled: Store) -> None:
    second = filled.run("second")
    assert filled.ask(contents.find_named, "model")[0] == Similar(second.id, "second", "model")
    assert [item.run_name for item in filled.ask(contents.find_sized, len("weights"))] == ["second", "first"]


def test_stored_artifacts_are_grouped_by_run_with_the_contents_they_need(filled: Store) -> None:
    stored = {item.kind: item for item in filled.ask(contents.group_stored)[filled.run("third").id]}
    assert stored["model"].blobs == (sha256("part"),)
    assert stored["model"].stored


def test_models_are_read_once_by_the_same_plugins(filled: Store) -> None:
    runs = [filled.run(name).id for name in ("third", "second", "first")]
    assert filled.ask(contents.list_unread, 1, "readers") == runs
    assert filled.ask(contents.list_unread, 1000, "readers") == []
    known = {runs[1]: [sha256("weights"), sha256("part")], "a run that is gone": ["hash"]}
    filled.index.keep(contents.add_without_weights, known, "readers")
    assert filled.ask(contents.list_unread, 1, "readers") == runs[:1]
    assert filled.ask(contents.list_unread, 1, "other readers") == runs
    filled.run("second").note("a change of the run drops what was kept")
    assert filled.ask(contents.list_unread, 1, "readers") == runs


def test_weights_are_found_by_the_beginning_of_a_fingerprint(filled: Store) -> None:
    for name, content in (("first", "weights"), ("third", "part")):
        with filled.run(name).attach() as run:
            event = {"fingerprints": ["f" * 64], "shapes": ["5" * 64], "tensors": ["7" * 64]}
            run.run_log.event({"type": "weights", "sha256": sha256(content), **event})
    assert set(filled.ask(contents.find_by_fingerprint, "ffff", "0")) == {sha256("weights"), sha256("part")}
    assert filled.ask(contents.find_same_weights, sha256("part")) == [sha256("weights")]
    assert [item.run_name for item in filled.ask(contents.find_with_tensors, "7" * 64)] == ["first"]
    assert [item.artifact for item in filled.ask(contents.find_with_shapes, "5" * 64)] == ["model"]
