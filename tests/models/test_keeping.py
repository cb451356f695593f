"""What models mean for the rest of a store: removal, gc, quarantine, which-run, show, doctor."""

from pathlib import Path

import pytest

from runlore import Store
from runlore.errors import StillNamed
from runlore.maintenance.garbage import collect, find_garbage
from runlore.maintenance.removal import remove, undo
from runlore.models.names import folder_name
from tests.commands import document, runlore
from tests.maintenance.files import age, blobs
from tests.models.conftest import train


def test_a_run_behind_an_alias_is_not_removed(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    result = runlore("rm", "run-1", "run-2")
    assert result.exit_code == 1
    assert "is behind digits@prod: let each alias name another version first" in result.output
    assert "is behind digits@prod" in runlore("rm", "run-1", "--dry-run").output, "which says what would be done"
    assert len(trained.runs()) == 3, "nothing is removed then"
    model.remove_alias("prod")
    result = runlore("rm", "run-1")
    assert "model digits 1 has lost its run" in result.output
    assert undo(trained)
    assert model["1"].run.name == "run-1"


def test_a_parent_of_a_run_behind_an_alias_is_not_removed(store: Store, tmp_path: Path) -> None:
    with store.start_run("parent") as parent, store.start_run("child", parent=parent) as child:
        (tmp_path / "m.pt").write_bytes(b"w")
        child.log_artifact(tmp_path / "m.pt", model="digits@prod")
    with pytest.raises(StillNamed, match="'child'"):
        remove(store, [store.run("parent")])


def test_a_dry_removal_says_which_versions_lose_their_runs(trained: Store) -> None:
    trained.model("digits").add("run-1")
    assert "model digits 1 would lose its run" in runlore("rm", "run-1", "--dry-run").output


def test_rules_of_gc_drop_nothing_while_a_model_can_not_be_read(trained: Store) -> None:
    trained.model("digits").add("run-1", aliases=["prod"])
    age(trained.root)
    (path,) = (trained.root / "models").rglob("*.log")
    away = path.rename(trained.root.parent / "away")
    path.symlink_to(away)
    before = blobs(trained)
    result = runlore("gc", "--older-than", "0s")
    assert (result.exit_code, "no file is dropped, as a model may name it" in result.output) == (1, True)
    assert blobs(trained) == before


def test_rules_of_gc_keep_what_an_alias_names(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    model.add("run-2")
    named, other = model["1"].sha256, model["2"].sha256
    age(trained.root)
    assert runlore("gc", "--older-than", "0s").exit_code == 0
    age(trained.root)
    assert runlore("gc").exit_code == 0
    assert named in blobs(trained)
    assert other not in blobs(trained)
    assert model["prod"].artifact.read_bytes() == b"weights"


def test_what_an_alias_names_is_kept_without_its_run(trained: Store) -> None:
    model = trained.model("digits")
    version = model.add("run-1", aliases=["prod"])
    for path in trained.folder.files_of(version.run_id):
        path.path.unlink()
    age(trained.root)
    collect(trained, find_garbage(trained))
    assert trained.model("digits")["prod"].artifact.read_bytes() == b"weights"
    model.remove_alias("prod")
    collect(trained, find_garbage(trained))
    assert version.sha256 not in blobs(trained)


def test_gc_leaves_files_alone_while_a_model_can_not_be_read(trained: Store) -> None:
    version = trained.model("digits").add("run-1", aliases=["prod"])
    for path in trained.folder.files_of(version.run_id):
        path.path.unlink()
    (log,) = (trained.root / "models").rglob("*.log")
    log.write_bytes(log.read_bytes()[:20] + b"?" + log.read_bytes()[21:])
    age(trained.root)
    garbage = find_garbage(trained)
    assert garbage.blobs == ()
    assert "a model can't be read" in garbage.kept[0]
    assert document("doctor", "--json")["store"]["damage of models"]["state"] == "bad"


def test_drafts_of_models_are_freed(trained: Store) -> None:
    trained.model("digits").add("run-1")
    draft = trained.root / "models" / folder_name("digits") / ".left.tmp"
    draft.write_bytes(b"x")
    age(trained.root)
    collect(trained, find_garbage(trained))
    assert not draft.exists()
    assert len(trained.model("digits")) == 1


def test_a_run_in_quarantine_keeps_its_version(trained: Store, tmp_path: Path) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    assert runlore("quarantine", "run-1").exit_code == 0
    assert runlore("restore", "model:digits@prod", "--to", str(tmp_path / "out")).exit_code == 0
    assert (tmp_path / "out" / "model.pt").read_bytes() == b"weights"


def test_which_run_names_model_version_and_alias(trained: Store, tmp_path: Path) -> None:
    model = trained.model("digits")
    model.add("run-2", aliases=["prod", "stable"])
    deployed = tmp_path / "deployed.bin"
    deployed.write_bytes(b"weights" * 2)
    (found,) = document("which-run", str(deployed), "--json")
    assert found["models"] == [{"model": "digits", "version": "1", "aliases": ["prod", "stable"]}]
    assert "digits 1 (prod, stable)" in runlore("which-run", str(deployed)).output
    deployed.write_bytes(b"weights")
    (found,) = document("which-run", str(deployed), "--json")
    assert found["models"] == []


def test_which_run_tells_of_a_version_whose_run_is_gone(trained: Store, tmp_path: Path) -> None:
    version = trained.model("digits").add("run-1")
    remove(trained, [trained.run("run-1")])
    deployed = tmp_path / "deployed.bin"
    deployed.write_bytes(b"weights")
    result = runlore("which-run", str(deployed))
    assert result.exit_code == 1
    assert f"it is model digits 1, whose run {version.run_id} is gone" in result.output


def test_show_names_the_versions_of_a_run(trained: Store) -> None:
    trained.model("digits").add("run-1", aliases=["prod"])
    assert document("show", "run-1", "--json")["models"] == [{"model": "digits", "version": "1", "aliases": ["prod"]}]
    assert "digits 1 (prod)" in runlore("show", "run-1").output


def test_doctor_counts_models(trained: Store) -> None:
    trained.model("digits").add("run-1")
    assert document("doctor", "--json")["store"]["models"]["versions"] == {"digits": 1}


def test_reindex_and_a_copy_lose_nothing_of_models(trained: Store, tmp_path: Path) -> None:
    train(trained, tmp_path, "last", b"w", model="digits@prod")
    trained.reindex()
    assert trained.model("digits")["prod"].run.name == "last"
