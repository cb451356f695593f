"""The runs that wrote or read a file, found by its content."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import Store, hookimpl, open_store
from runlore.hookspecs import Tensor
from runlore.index.contents import find_by_fingerprint
from runlore.provenance.origins import FileOrHashNotFound, Target, which_run
from tests.commands import runlore


@pytest.fixture
def written(store: Store, tmp_path: Path) -> Path:
    """A model that the second of three runs wrote, moved and renamed since."""
    model = tmp_path / "model.bin"
    for number in range(3):
        model.write_bytes(b"weights" * number)
        with store.start_run(f"run-{number}") as run:
            run.log_artifact(model, kind="model", step=number, epoch=0.5, roles=("best",) if number == 1 else ())
    moved = tmp_path / "elsewhere" / "renamed"
    moved.parent.mkdir()
    moved.write_bytes(b"weights")
    return moved


def test_a_moved_and_renamed_file_leads_to_its_run(store: Store, written: Path) -> None:
    (origin,) = which_run(store, written).found
    assert (origin.name, origin.relation, origin.artifact) == ("run-1", "wrote", "model.bin")
    assert (origin.step, origin.epoch, origin.roles, origin.match) == (1, 0.5, ("best",), "sha256")
    digest = hashlib.sha256(b"weights").hexdigest()
    for part in (digest, digest[:8], digest.upper(), f"sha256:{digest}"):
        assert which_run(store, part).found == (origin,)


def test_several_runs_that_wrote_the_same_come_newest_first(store: Store, written: Path) -> None:
    with store.start_run("again") as run:
        run.log_artifact(written, name="copy")
    assert [origin.name for origin in which_run(store, written).found] == ["again", "run-1"]


def test_a_folder_and_a_file_inside_it_lead_to_the_run(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-2"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "weights").write_bytes(b"w")
    (folder / "config.json").write_text("{}")
    with store.start_run("x") as run:
        run.log_artifact(folder, kind="checkpoint")
    folder.rename(tmp_path / "moved")
    (whole,) = which_run(store, tmp_path / "moved").found
    (part,) = which_run(store, tmp_path / "moved" / "deep" / "weights").found
    assert (whole.artifact, part.artifact) == ("checkpoint-2", "checkpoint-2/deep/weights")


def test_the_fingerprint_of_data_leads_to_the_runs_that_read_it(store: Store) -> None:
    with store.start_run("reader") as run:
        run.log_data("X", np.arange(10.0))
    found = str(store.run("reader").data["X"]["fingerprint"])
    (origin,) = which_run(store, found[:12]).found
    assert (origin.name, origin.relation, origin.artifact) == ("reader", "read", "X")


def test_an_unknown_file_exits_with_1_and_hints(store: Store, written: Path, tmp_path: Path) -> None:
    other = tmp_path / "model.bin"
    other.write_bytes(b"something else")
    done = runlore("which-run", str(other), "--json")
    assert (done.exit_code, json.loads(done.stdout)) == (1, [])
    assert "wrote 'model.bin' with other content" in done.stderr
    assert runlore("which-run", "no-such-file").exit_code == 1
    with pytest.raises(FileOrHashNotFound, match="no file here, and no sha256 of at least 6 digits"):
        which_run(store, "abc")


def test_a_store_that_does_not_exist_knows_nothing(tmp_path: Path, written: Path) -> None:
    done = runlore("which-run", str(written), "--json", "--store", str(tmp_path / "none"))
    assert (done.exit_code, json.loads(done.stdout)) == (1, [])


def test_its_json_is_what_the_design_pins(written: Path) -> None:
    (origin,) = json.loads(runlore("which-run", str(written), "--json").stdout)
    assert list(origin) == ["run", "name", "relation", "artifact", "step", "epoch", "roles", "match", "models"]
    assert "run-1" in runlore("which-run", str(written)).stdout


def test_what_is_no_file_is_refused_and_not_waited_for(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        result = runlore("which-run", str(path))
        assert result.exit_code == 1
        assert "is a pipe or a device" in result.stderr


def test_of_equal_files_the_one_that_was_named_is_told(store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        for name, roles in (("best.pt", ["best"]), ("last.pt", ["last"])):
            (tmp_path / name).write_bytes(b"the same")
            run.run_log.event({"type": "artifact", "name": name, "kind": "checkpoint", "roles": roles,
                        "sha256": hashlib.sha256(b"the same").hexdigest(), "size": 8})  # fmt: skip
    told = runlore("which-run", str(tmp_path / "best.pt")).stdout
    assert "best.pt and 1 more" in told
    assert "best, last" in told


def test_a_beginning_that_two_contents_share_is_refused(store: Store, tmp_path: Path) -> None:
    digest = "a" * 62
    with store.start_run("a") as run:
        for name in ("01", "02"):
            run.run_log.event({"type": "artifact", "name": name, "kind": "file", "path": None, "sha256": digest + name})
    for command in ("which-run", "lineage"):
        done = runlore(command, digest[:8])
        assert (done.exit_code, f"{digest}01" in done.output) == (1, True)
        assert runlore(command, f"{digest}01").exit_code == 0


def test_a_model_that_cannot_be_read_is_told(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    path = tmp_path / "model.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    done = runlore("which-run", str(path))
    assert done.exit_code == 1
    assert f"the weights in {str(path)!r} are not compared: plugin 'keras': " in done.stderr.replace("\n", " ")


def test_a_run_that_is_found_by_a_hash_goes_before_a_file_of_that_name(
    store: Store, written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    monkeypatch.chdir(tmp_path)
    Path(digest[:12]).write_text("something else")
    assert which_run(store, digest[:12]).found == ()
    assert [origin.name for origin in which_run(store, Target(digest[:12], None)).found] == ["run-1"]


class Reader:
    """Finds weights in files such as "model 17, saved again": one tensor with the value 17."""

    @hookimpl
    def runlore_describe_weights(self, path: Path) -> Mapping[str, Sequence[Tensor]] | None:
        found = re.match(r"model (\d+)", path.read_text())
        return {"": [Tensor("w", "float32", (1,), found[1])]} if found else None


@pytest.mark.parametrize("writable", [True, False])
def test_weights_are_found_and_recorded_where_the_store_can_be_written(
    store: Store, tmp_path: Path, runlore_plugins: Any, monkeypatch: pytest.MonkeyPatch, writable: bool
) -> None:
    runlore_plugins(Reader())
    (tmp_path / "one").write_text("model 17")
    with store.start_run("train") as run:
        run.log_artifact(tmp_path / "one", kind="model")
    (tmp_path / "again").write_text("model 17, saved again")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    if not writable:  # root may write everywhere
        monkeypatch.setattr(os, "access", lambda path, mode: False)
    asked = open_store(store.root)
    (origin,) = which_run(asked, tmp_path / "again").found
    assert (origin.name, origin.match) == ("train", "weights")
    assert bool(asked.ask(find_by_fingerprint, "")) == writable
