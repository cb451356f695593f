"""Models with names in Python: versions, aliases, notes, history, and the runs behind them."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from runlore import RunloreWarning, Store, open_store
from runlore.artifacts.blobs import Blobs
from runlore.errors import ArtifactNotFound, ModelNotFound, NameRefused, RunNotFound, StillNamed
from runlore.maintenance.removal import remove
from runlore.models.names import folder_name
from tests.models.conftest import train


def test_a_run_adds_its_artifact_as_a_version_with_an_alias(store: Store, tmp_path: Path) -> None:
    run = train(store, tmp_path, "first", b"weights", step=7, model="digits@candidate")
    model = store.model("digits")
    (version,) = model.versions
    assert (version.version, version.run_id, version.step, version.artifact_name) == ("1", run, 7, "model.pt")
    assert (version.aliases, version.size, version.run.name) == (("candidate",), 7, "first")
    assert version.user
    assert abs(datetime.now(UTC) - version.added) < timedelta(minutes=5)
    assert model["candidate"] == model["1"] == model["v1"] == model[1] == model["latest"] == version
    assert (version.restore(tmp_path / "out")).read_bytes() == b"weights"
    assert version.run.data["train"]["fingerprint"]


def test_what_was_prod_then_and_why_it_was_changed_has_an_answer(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"], reason="the first one")
    model.add("run-2", note="more layers")
    before = datetime.now(UTC)
    model.set_alias("prod", 2, reason="better on dark images")
    assert (model["prod"].version, model["prod"].run.name) == ("2", "run-2")
    assert model.at(before)["prod"].version == "1"
    assert model.at(before.replace(tzinfo=None))["prod"].version == "1"
    change = model.history[-1]
    assert (change.what, change.alias, change.before, change.version) == ("alias", "prod", "1", "2")
    assert (change.reason, bool(change.user), bool(change.host)) == ("better on dark images", True, True)
    assert (model["2"].note, model["1"].reason) == ("more layers", "the first one")
    with pytest.raises(ModelNotFound, match="had no versions at 2020"):
        model.at(datetime(2020, 1, 1, tzinfo=UTC))["prod"]


def test_a_changed_model_is_what_the_store_says_of_it(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", "model.pt", aliases=["prod", "candidate"])
    model.remove_alias("candidate", reason="withdrawn")
    model.add_note("only for small images")
    model.add_note("slow", 1)
    again = open_store(trained.root).model("digits")
    assert list(again.aliases) == ["prod"]
    assert [(note.text, note.version) for note in again.notes] == [("only for small images", None), ("slow", "1")]
    assert [found.name for found in trained.models()] == ["digits"]
    assert [change.what for change in again.history] == ["version", "alias", "alias", "alias", "note", "note"]
    assert "candidate" not in again
    assert "prod" in again


def test_the_same_file_is_added_once(trained: Store) -> None:
    model = trained.model("digits")
    first = model.add("run-1")
    again = model.add("run-1", aliases=["prod"], note="after all")
    assert (again.id, again.aliases, len(model)) == (first.id, ("prod",), 1)
    assert model.notes[0].text == "after all"


def test_a_version_with_an_alias_is_not_withdrawn_and_one_without_stays_on_record(trained: Store) -> None:
    model = trained.model("digits")
    model.add("run-1", aliases=["prod"])
    model.add("run-2")
    with pytest.raises(StillNamed, match="is prod"):
        model.withdraw(1)
    model.withdraw(2, reason="overfits")
    model.withdraw(2)
    assert [version.version for version in model.versions] == ["1"]
    assert (model["2"].withdrawn, model.history[-1].reason) == (True, "overfits")
    assert model.add("run-3").version == "3", "a number is never used again"
    model.set_alias("prod", 2)
    assert [version.version for version in model.versions] == ["1", "2", "3"], "who names it needs it"


def test_an_address_is_the_run_behind_it(trained: Store) -> None:
    trained.model("org/digits").add("run-2", aliases=["prod"])
    trained.model("org/digits").add("run-3")
    assert trained.run("model:org/digits@prod").name == "run-2"
    assert trained.run("model:org/digits@v2").name == trained.run("model:org/digits").name == "run-3"
    for text, said in (
        ("model:org/digit", "did you mean 'org/digits'"),
        ("model:org/digits@prd", "did you mean 'prod'"),
        ("model:org/digits@7", "it has: prod, 1, 2"),
    ):
        with pytest.raises(ModelNotFound, match=said):
            trained.run(text)


def test_a_run_of_that_name_is_found_only_where_there_is_no_such_model(trained: Store, tmp_path: Path) -> None:
    named = train(trained, tmp_path, "model:digits@prod", b"other")
    assert trained.run("model:digits@prod").id == named
    trained.model("digits").add("run-1", aliases=["prod"])
    assert trained.run("model:digits@prod").name == "run-1"


@pytest.mark.parametrize("name", ["", "a b", "a@b", "-x", "../x", "a\nb", "a\x1b[0m", "x" * 101, "model:x"])
def test_other_names_are_refused(trained: Store, name: str) -> None:
    with pytest.raises(NameRefused, match="write letters"):
        trained.model(name)
    assert not (trained.root / "models").exists()


@pytest.mark.parametrize("alias", ["", "3", "v3", "latest", "a b", "-x", "a\n", "x" * 65])
def test_other_aliases_are_refused(trained: Store, alias: str) -> None:
    with pytest.raises(NameRefused, match="can't be an alias"):
        trained.model("digits").add("run-1", aliases=[alias])
    assert trained.models() == []


def test_a_training_goes_on_where_a_model_can_not_be_named_so(store: Store, tmp_path: Path) -> None:
    with pytest.warns(RunloreWarning, match="'model.pt' was not added to model 'my model': 'my model' can't be"):
        run = train(store, tmp_path, "first", b"weights", model="my model")
    found = store.run(run)
    assert found.artifact("model.pt").read_bytes() == b"weights"
    assert "version of model 'my model'" in [item["what"] for item in found.missing]


def test_a_training_goes_on_where_models_can_not_be_written(store: Store, tmp_path: Path) -> None:
    train(store, tmp_path, "before", b"w")
    (store.root / "models").mkdir()
    (store.root / "models" / folder_name("digits")).write_text("no folder")
    with pytest.warns(RunloreWarning, match="was not added to model 'digits'"):
        run = train(store, tmp_path, "first", b"weights", model="digits")
    assert store.run(run).artifact("model.pt").read_bytes() == b"weights"


def test_secrets_are_masked_in_what_people_say(trained: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "s3cr3t-s3cr3t-value")
    model = trained.model("digits")
    model.add("run-1", note="with s3cr3t-s3cr3t-value", reason="s3cr3t-s3cr3t-value", aliases=["prod"])
    model.add_note("s3cr3t-s3cr3t-value again")
    assert b"s3cr3t-s3cr3t" not in b"".join(path.read_bytes() for path in (trained.root / "models").rglob("*.log"))
    assert "[masked]" in model["prod"].note


def test_a_version_outlives_its_run(trained: Store, tmp_path: Path) -> None:
    model = trained.model("digits")
    version = model.add("run-1")
    remove(trained, [trained.run("run-1")])
    with pytest.raises(RunNotFound, match=r"which version 1 of 'digits' comes from.*runlore undo"):
        trained.run("model:digits@1")
    assert version.artifact.read_bytes() == b"weights"
    assert model["1"].restore(tmp_path / "out").name == "model.pt"


def test_a_folder_is_restored_without_its_run(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "sub").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "sub" / "run.sh").write_text("echo")
    (folder / "sub" / "run.sh").chmod(0o755)
    with store.start_run("first") as run:
        run.log_artifact(folder, kind="model", model="digits")
    remove(store, [store.run("first")])
    place = store.model("digits")["1"].restore(tmp_path / "out")
    assert (place / "config.json").read_text() == "{}"
    assert (place / "sub" / "run.sh").stat().st_mode & 0o100


def test_what_was_not_kept_is_no_version(store: Store, tmp_path: Path) -> None:
    (tmp_path / "big.pt").write_bytes(b"x")
    with store.start_run("first") as run:
        run.log_artifact(tmp_path / "big.pt", kind="model", keep=False)
    with pytest.raises(ArtifactNotFound, match="was not kept"):
        store.model("digits").add("first", "big.pt")


def test_stores_are_merged_file_by_file(trained: Store, tmp_path: Path) -> None:
    other = Store(tmp_path / "other")
    train(other, tmp_path, "theirs", b"their weights", model="digits@prod")
    theirs = other.model("digits")["1"]
    ours = trained.model("digits").add("run-1", aliases=["candidate"])
    for name in ("runs", "blobs", "models"):
        shutil.copytree(other.root / name, trained.root / name, dirs_exist_ok=True)
    model = trained.model("digits")
    assert [(version.version, version.id) for version in model.versions] == [("1b", theirs.id), ("1", ours.id)]
    assert (model["prod"].run.name, model["candidate"].run.name) == ("theirs", "run-1")
    assert model["1b"].restore(tmp_path / "out").read_bytes() == b"their weights"
    assert trained.model("digits").add("run-2").version == "2"


def test_an_alias_names_only_what_can_be_had(trained: Store) -> None:
    model, other = trained.model("digits"), trained.model("other")
    for run in ("run-1", "run-2"):
        model.add(run)
    version = other.add("run-2")
    with pytest.raises(ModelNotFound, match="is no version of 'digits'"):
        model.set_alias("prod", version)
    Blobs(trained.root / "blobs").path(str(model[2].sha256)).unlink()
    with pytest.raises(ArtifactNotFound, match="the content of version 2 of 'digits' is not in this store"):
        model.set_alias("prod", 2)
    assert not model.aliases
