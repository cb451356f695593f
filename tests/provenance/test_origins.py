"""Which run made this file, and what of a recorded file is not known yet."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runlore import Store
from runlore.guest.additions import Additions
from runlore.index.contents import count_pending
from runlore.provenance.origins import FileOrHashNotFound, which_run
from tests.cli.test_cli import runlore


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
    assert "wrote a 'model.bin' with other content" in done.stderr
    assert runlore("which-run", "no-such-file").exit_code == 1
    with pytest.raises(FileOrHashNotFound, match="no file here, and no sha256 of at least 6 digits"):
        which_run(store, "abc")


def test_a_store_that_does_not_exist_knows_nothing(tmp_path: Path, written: Path) -> None:
    done = runlore("which-run", str(written), "--json", "--store", str(tmp_path / "none"))
    assert (done.exit_code, json.loads(done.stdout)) == (1, [])


def test_its_json_is_what_the_design_pins(written: Path) -> None:
    (origin,) = json.loads(runlore("which-run", str(written), "--json").stdout)
    assert list(origin) == ["run", "name", "relation", "artifact", "step", "epoch", "roles", "match"]
    assert "run-1" in runlore("which-run", str(written)).stdout


def pending(store: Store) -> int:
    return store.ask(count_pending)


def artifact(store: Store, name: str) -> Any:
    return store.run("x").artifact(name)


def test_a_pending_hash_is_completed_by_the_next_reader(store: Store, tmp_path: Path) -> None:
    for name in ("kept.bin", "changed.bin", "gone.bin"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "part").write_bytes(b"part")
    with store.start_run("x") as run:
        for name in ("kept.bin", "changed.bin", "gone.bin", "folder"):
            run.log_artifact(tmp_path / name, keep=False)
    assert pending(store) == 4
    assert artifact(store, "kept.bin").sha256 is None
    (tmp_path / "changed.bin").write_bytes(b"something longer than it was")
    (tmp_path / "gone.bin").unlink()
    (origin,) = which_run(store, tmp_path / "kept.bin").found
    assert origin.artifact == "kept.bin"
    assert pending(store) == 0
    assert artifact(store, "kept.bin").sha256 == hashlib.sha256(b"kept.bin").hexdigest()
    assert artifact(store, "changed.bin").sha256 is None, "never under the wrong hash"
    assert len(which_run(store, tmp_path / "folder").found) == 1
    assert len(store.run("x").artifacts) == 4
    assert store.run("x").status == "finished"


def test_a_large_file_that_is_added_after_a_fit_is_pending_and_a_small_one_kept(store: Store, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"0123456789")
    (tmp_path / "small").write_bytes(b"01234")
    run = store.start_run("x")
    run.finish()
    for name in ("large", "small"):
        Additions(run).file(tmp_path / name, kind="model", most=5)
    assert (artifact(store, "large").stored, artifact(store, "small").stored) == (False, True)
    assert pending(store) == 1


def test_what_is_no_file_is_refused_and_not_waited_for(store: Store, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        result = runlore("which-run", str(path))
        assert result.exit_code == 1
        assert "is a pipe or a device" in result.stderr
