"""A model file leads to its run by the weights in it, whatever kind of file it is."""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy
import pytest
import torch
import transformers
from safetensors.torch import save_file

from runlore import Store, hookimpl
from runlore.provenance.fingerprints import weights_of
from runlore.provenance.origins import Origin, which_run
from runlore_keras import RunloreCallback as KerasCallback
from runlore_lightning import RunloreCallback as LightningCallback
from runlore_transformers import RunloreCallback as TransformersCallback
from tests.commands import document
from tests.keras import models as with_keras
from tests.lightning import models as with_lightning


class Wrapped(with_lightning.Tiny):
    """A model inside of a module that has weights of its own, as those of losses are."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 1))
        self.register_buffer("class_weights", torch.ones(2))


@pytest.fixture
def trained(store: Store, tmp_path: Path) -> tuple[Path, Any]:
    """A Lightning checkpoint with state of optimizers, arbitrary objects among its hyper-parameters, and the module."""
    torch.manual_seed(3)
    module = Wrapped()
    module.save_hyperparameters({"place": tmp_path, "codes": {complex(1, 2)}})
    saving = with_lightning.checkpoint(tmp_path / "checkpoints", filename="{epoch}")
    with_lightning.trainer(LightningCallback(), saving, enable_checkpointing=True).fit(module, with_lightning.data())
    return Path(saving.best_model_path), module


def by_weights(store: Store, path: Path) -> Origin:
    (origin,) = which_run(store, path).found
    assert (origin.relation, origin.match) == ("wrote", "weights")
    return origin


def test_what_is_made_from_a_lightning_checkpoint_leads_home(
    store: Store, trained: tuple[Path, Any], tmp_path: Path
) -> None:
    path, module = trained
    (run,) = store.runs()
    state = torch.load(path, weights_only=False)["state_dict"]
    made = [tmp_path / name for name in ("all.safetensors", "inner.safetensors", "state.pt", "in-two-words", "turned")]
    save_file(state, made[0])
    save_file(module.layer.state_dict(), made[1])
    torch.save(module.layer.state_dict(), made[2])
    torch.save({"epoch": 3, "model": OrderedDict(state)}, made[3])
    torch.save({key: value.t().contiguous().t() if value.ndim == 2 else value for key, value in state.items()}, made[4])
    for file in made:
        origin = by_weights(store, file)
        assert (origin.run, origin.artifact, origin.step, origin.epoch) == (run.id, path.name, 30, 2), file
    assert which_run(store, path).found[0].match == "sha256"


def test_every_run_that_has_these_weights_is_named(store: Store, trained: tuple[Path, Any], tmp_path: Path) -> None:
    _, module = trained
    (first,) = store.runs()
    save_file(module.layer.state_dict(), tmp_path / "deployed")
    assert by_weights(store, tmp_path / "deployed").run == first.id
    with store.start_run("another") as run:
        torch.save({"state_dict": module.state_dict(), "other": 1}, tmp_path / "again.ckpt")
        run.log_artifact(tmp_path / "again.ckpt", kind="checkpoint")
    found = which_run(store, tmp_path / "deployed").found
    assert {(origin.name, origin.match) for origin in found} == {(first.name, "weights"), ("another", "weights")}


def test_it_leads_home_when_the_checkpoint_is_gone_and_only_the_store_has_it(
    store: Store, trained: tuple[Path, Any], tmp_path: Path
) -> None:
    path, module = trained
    save_file(module.layer.state_dict(), tmp_path / "deployed")
    path.unlink()
    assert by_weights(store, tmp_path / "deployed").artifact == path.name
    assert store.run(by_weights(store, tmp_path / "deployed").run).missing == []


def test_what_was_found_is_recorded_and_survives_a_new_index(
    store: Store, trained: tuple[Path, Any], tmp_path: Path
) -> None:
    path, module = trained
    save_file(module.layer.state_dict(), tmp_path / "deployed")
    by_weights(store, tmp_path / "deployed")
    path.unlink()
    for blob in (store.root / "blobs").rglob("*"):  # the contents are dropped; what was learnt of them stays
        if blob.is_file():
            blob.unlink()
    store.reindex()
    assert by_weights(store, tmp_path / "deployed").artifact == path.name
    fingerprint = weights_of([tmp_path / "deployed"])
    assert fingerprint is not None
    assert document("which-run", "--json", fingerprint.whole[0][:12])[0]["match"] == "weights"


def test_other_values_other_names_in_another_order_and_halves_do_not(
    store: Store, trained: tuple[Path, Any], tmp_path: Path
) -> None:
    state = {key: value.clone() for key, value in trained[1].layer.state_dict().items()}
    other = tmp_path / "other.pt"
    values, names = "tensors of the same shapes, with other values", "whose names come in another order"
    turns: tuple[tuple[Any, str], ...] = (
        (lambda found: found["0.weight"].view(-1)[0].add_(1e-6), values),
        (lambda found: found.update({"1.weight": found["1.bias"], "1.bias": found["1.weight"]}), names),
        (lambda found: found.update({key: value.half() for key, value in found.items()}), values),
        (lambda found: found.update({"9.extra": torch.ones(1)}), "its largest tensor is the same, not all others are"),
    )
    save_file(state, tmp_path / "bare.safetensors")
    with store.start_run("bare") as run:
        run.log_artifact(tmp_path / "bare.safetensors", kind="model")
    for change, told in turns:
        changed = {key: value.clone() for key, value in state.items()}
        change(changed)
        torch.save(changed, other)
        found = which_run(store, other)
        assert found.found == ()
        assert told in found.hints[0]
        assert store.run("bare").id in found.hints[0]


def test_a_converted_file_leads_home_also_when_a_run_has_read_it(store: Store, tmp_path: Path) -> None:
    state = {"w": torch.rand(3, 3)}
    with store.start_run("train") as run:
        torch.save(state, tmp_path / "model.pt")
        run.log_artifact(tmp_path / "model.pt", kind="model")
    save_file(state, tmp_path / "deployed")
    with store.start_run("evaluate") as run:
        run.log_data("model", tmp_path / "deployed")
    found = {(item.name, item.relation, item.match) for item in which_run(store, tmp_path / "deployed").found}
    assert found == {("train", "wrote", "weights"), ("evaluate", "read", "sha256")}
    graph = document("lineage", "--json", str(tmp_path / "deployed"))
    assert {"train", "evaluate"} <= {node["name"] for node in graph["nodes"]}


def test_the_very_file_in_a_folder_counts_before_equal_weights(store: Store, tmp_path: Path) -> None:
    state = {"w": torch.rand(3, 3)}
    for name, extra in (("one", 1), ("two", 2)):
        with store.start_run(name) as run:
            torch.save({"state_dict": state, "epoch": extra}, tmp_path / f"{name}.pt")
            run.log_artifact(tmp_path / f"{name}.pt", kind="checkpoint")
    (tmp_path / "folder").mkdir()
    (tmp_path / "one.pt").rename(tmp_path / "folder" / "one.pt")
    (origin,) = which_run(store, tmp_path / "folder").found
    assert (origin.name, origin.match) == ("one", "sha256")


def test_what_no_plugin_can_look_into_is_told(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    numpy.savez(tmp_path / "weights.npz", w=numpy.ones(3))
    (tmp_path / "model.pkl").write_bytes(pickle.dumps([1]))
    for name in ("weights.npz", "model.pkl"):
        told = [hint for hint in which_run(store, tmp_path / name).hints if "only these very bytes" in hint]
        assert len(told) == 1, name
    (tmp_path / "table.csv").write_text("1,2")
    assert not any("weights" in hint for hint in which_run(store, tmp_path / "table.csv").hints)


def test_files_without_weights_are_looked_at_once(store: Store, runlore_plugins: Any, tmp_path: Path) -> None:
    asked: list[str] = []

    class Asked:
        @hookimpl
        def runlore_describe_weights(self, path: Path) -> None:
            asked.append(path.name)

    runlore_plugins(Asked())
    (tmp_path / "report.bin").write_bytes(b"no model at all" * 10)
    with store.start_run("a") as run:
        run.log_artifact(tmp_path / "report.bin", kind="model")
    sha256 = store.run("a").artifact("report.bin").sha256
    save_file({"w": torch.zeros(1)}, tmp_path / "wanted")
    before = {path: path.stat().st_mtime_ns for path in (store.root / "runs").rglob("*.run")}
    for _ in range(3):
        which_run(store, tmp_path / "wanted")
    assert asked.count(str(sha256)) == 1
    store.reindex()
    which_run(store, tmp_path / "wanted")
    assert asked.count(str(sha256)) == 2, "what the index knew is gone with it"
    assert {path: path.stat().st_mtime_ns for path in (store.root / "runs").rglob("*.run")} == before
    runlore_plugins(Asked())  # another one may know more
    which_run(store, tmp_path / "wanted")
    assert asked.count(str(sha256)) == 4


def test_keras_weights_lead_to_the_run_that_wrote_the_model(store: Store, tmp_path: Path) -> None:
    model = with_keras.model()
    saving = keras.callbacks.ModelCheckpoint(tmp_path / "model.keras")
    with_keras.fit(model, KerasCallback(), saving)
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded.save_weights(tmp_path / "again.weights.h5")
    loaded.compile("adam", "mse")  # another optimizer, with other state
    loaded.save(tmp_path / "recompiled.keras")
    (run,) = store.runs()
    for name in ("again.weights.h5", "recompiled.keras"):  # written by Keras, so recorded; a copy by its weights
        (written,) = which_run(store, tmp_path / name).found
        assert (written.run, written.artifact, written.step) == (run.id, name, run.artifact("model.keras").step)
    with_keras.fit(loaded, epochs=1)
    loaded.save_weights(tmp_path / "trained.weights.h5")
    assert which_run(store, tmp_path / "trained.weights.h5").found == ()


def test_a_trainers_model_leads_home_with_tied_weights_written_twice(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=60, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    model = transformers.GPT2LMHeadModel(config)
    rows = [{"input_ids": row, "labels": row} for row in torch.randint(0, 60, (8, 6))]
    arguments = transformers.TrainingArguments(
        str(tmp_path / "out"), num_train_epochs=1, per_device_train_batch_size=4, report_to=[], use_cpu=True,
        disable_tqdm=True, save_strategy="epoch",
    )  # fmt: skip
    transformers.Trainer(model, arguments, train_dataset=rows, callbacks=[TransformersCallback()]).train()
    torch.save(model.state_dict(), tmp_path / "all.pt")
    assert "lm_head.weight" in torch.load(tmp_path / "all.pt")
    assert by_weights(store, tmp_path / "all.pt").artifact == "checkpoint-2"
    model.half().save_pretrained(tmp_path / "half")
    assert which_run(store, tmp_path / "half" / "model.safetensors").found == ()
    model.float()
    model.load_state_dict(torch.load(tmp_path / "all.pt"))
    model.save_pretrained(tmp_path / "shards", max_shard_size="10KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    assert by_weights(store, tmp_path / "shards").artifact == "checkpoint-2"


def test_whole_modules_the_older_form_and_nested_dicts_are_read(store: Store, tmp_path: Path) -> None:
    net = torch.nn.Module()
    net.first = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    net.again = net.first
    net.register_buffer("scratch", torch.ones(2), persistent=False)  # not in the state dict
    net.register_buffer("kept", torch.ones(3))
    state = net.state_dict()
    with store.start_run("module") as run:
        torch.save(net, tmp_path / "module.pt")
        run.log_artifact(tmp_path / "module.pt", kind="model")
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(net, tmp_path / "old-module.pt", _use_new_zipfile_serialization=False, pickle_protocol=4)
    torch.save(
        {"epoch": 1, "state": {"net": {"weights": state}, "optimizer": {"w": torch.ones(1)}}}, tmp_path / "deep.pt"
    )
    torch.save({"net": net, "epoch": 3}, tmp_path / "held.pt", pickle_protocol=5)
    torch.save(state, tmp_path / "state.pt")
    for name in ("old.pt", "old-module.pt", "deep.pt", "held.pt", "state.pt"):
        assert by_weights(store, tmp_path / name).name == "module", name
