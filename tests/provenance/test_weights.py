"""A model file leads to its run by the weights in it, in whatever container; nothing in a file is ever executed."""

import hashlib
import io
import json
import pickle
import struct
import tracemalloc
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import keras
import numpy
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from runlore import Store, hookimpl
from runlore.provenance.fingerprints import weights_of
from runlore.provenance.origins import Origin, which_run
from runlore_keras import RunloreCallback as KerasCallback
from runlore_lightning import RunloreCallback as LightningCallback
from runlore_transformers import RunloreCallback as TransformersCallback
from tests.cli.test_cli import document, runlore
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


def test_of_equal_files_the_one_that_was_named_is_told(store: Store, tmp_path: Path) -> None:
    with store.start_run("a") as run:
        for name, roles in (("best.pt", ["best"]), ("last.pt", ["last"])):
            (tmp_path / name).write_bytes(b"the same")
            run.run_log.event({"type": "artifact", "name": name, "kind": "checkpoint", "roles": roles,
                        "sha256": hashlib.sha256(b"the same").hexdigest(), "size": 8})  # fmt: skip
    told = runlore("which-run", str(tmp_path / "best.pt")).stdout
    assert "best.pt and 1 more" in told
    assert "best, last" in told


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
    for name in ("again.weights.h5", "recompiled.keras"):
        assert by_weights(store, tmp_path / name).artifact == "model.keras"
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


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16", "int64", "int8", "uint8", "bool", "complex64"])
def test_a_tensor_of_any_type_is_the_same_in_every_container(dtype: str, tmp_path: Path) -> None:
    tensor = (torch.arange(12) % 5).reshape(3, 4).to(getattr(torch, dtype))
    many: dict[str, Any] = {"a": tensor, "scalar": tensor[1, 1].clone(), "none": tensor[:0].clone()}
    torch.save({**many, "a": tensor.t().contiguous().t()}, tmp_path / "a.pt")
    torch.save({"net": many}, tmp_path / "b.pt")
    save_file(many, tmp_path / "c.safetensors")
    fingerprints = {weights_of([tmp_path / name]) for name in ("a.pt", "b.pt", "c.safetensors")}
    assert len({found.whole[0] for found in fingerprints if found}) == 1
    assert None not in fingerprints
    assert load_file(tmp_path / "c.safetensors")["a"].equal(tensor)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.float8_e5m2])
def test_eight_bits_are_the_same_in_both_containers(dtype: torch.dtype, tmp_path: Path) -> None:
    state = {"w": torch.arange(8.0).to(dtype)}
    torch.save(state, tmp_path / "a.pt")
    save_file(state, tmp_path / "b")
    first, second = weights_of([tmp_path / "a.pt"]), weights_of([tmp_path / "b"])
    assert first is not None
    assert first == second


def test_parameters_views_and_subclasses_are_read(tmp_path: Path) -> None:
    base = torch.arange(20.0)
    torch.save({"w": torch.nn.Parameter(base[4:10].reshape(2, 3)), "v": base[::2]}, tmp_path / "a.pt")
    save_file({"w": base[4:10].reshape(2, 3).clone(), "v": base[::2].clone()}, tmp_path / "b")
    first, second = weights_of([tmp_path / "a.pt"]), weights_of([tmp_path / "b"])
    assert first is not None
    assert second is not None
    assert first.whole == second.whole


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


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "int8", "bool", "complex64"])
def test_the_older_form_says_the_same_of_any_type(dtype: str, tmp_path: Path) -> None:
    base = (torch.arange(12) % 5).to(getattr(torch, dtype))
    tensors = {"a": base.reshape(3, 4).t(), "part": base[3:7], "b": torch.ones(5)}
    torch.save(tensors, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    torch.save(tensors, tmp_path / "new.pt")
    assert weights_of([tmp_path / "old.pt"]) == weights_of([tmp_path / "new.pt"]) != None  # noqa: E711


def test_modules_that_hold_each_other_make_a_file_unknown(tmp_path: Path) -> None:
    net = torch.nn.Module()
    for _ in range(40):  # each holds the one before twice: 2^40 names
        outer = torch.nn.Module()
        outer.a, outer.b = net, net
        net = outer
    torch.save(net, tmp_path / "bomb.pt")
    complaints: list[str] = []
    assert weights_of([tmp_path / "bomb.pt"], complaints.append) is None
    assert "more modules than a model has" in complaints[0]


class Bomb:
    """What a hostile file would like to have called."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return (Path.touch, (self.place,))


def hostile(path: Path, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", content)
        archive.writestr("archive/data/0", b"\0" * 64)
    return path


def test_nothing_in_a_file_is_executed(store: Store, trained: tuple[Path, Any], tmp_path: Path) -> None:
    marker = tmp_path / "executed"
    files = [tmp_path / "bomb.pkl", hostile(tmp_path / "bomb.pt", pickle.dumps({"state_dict": Bomb(marker)}, 4))]
    files[0].write_bytes(pickle.dumps(Bomb(marker)))
    torch.save({"state_dict": {"w": torch.ones(3)}, "hook": Bomb(marker)}, tmp_path / "mixed.pt")
    files.append(tmp_path / "mixed.pt")
    for code in (
        b"cos\nsystem\n(S'touch %s'\ntR.",
        b"(S'touch %s'\nios\nsystem\n.",
        b"c__builtin__\neval\n(S'1/0#%s'\ntR.",
    ):
        files.append(hostile(tmp_path / f"{len(files)}.pt", code % str(marker).encode()))
    with store.start_run("uploads") as run:
        for file in files:
            run.log_artifact(file, kind="model")
    save_file({"w": torch.zeros(1)}, tmp_path / "asked")
    for file in (*files, tmp_path / "asked"):
        which_run(store, file)
        weights_of([file])
    assert not marker.exists()
    assert weights_of([tmp_path / "mixed.pt"]) is not None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n" + b"\0" * 40,
        struct.pack("<Q", 1 << 62) + b"{",
        struct.pack("<Q", 60) + json.dumps({"w": {"dtype": "F32", "shape": [4], "data_offsets": [0, 99]}}).encode(),
        struct.pack("<Q", 12) + b'{"w":"nope"}',
        b"\x80\x04K\x01r\xff\xff\xff\x7f.",
    ],
)
def test_a_damaged_or_lying_file_is_an_unknown_one(content: bytes, store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    (tmp_path / "file").write_bytes(content)
    hostile(tmp_path / "zip", content)
    for name in ("file", "zip"):
        assert which_run(store, tmp_path / name).found == ()
        assert weights_of([tmp_path / name]) is None


def test_a_tensor_beyond_its_storage_makes_the_file_unknown(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(4)}, tmp_path / "a.pt")
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        entries = {item.filename: archive.read(item) for item in archive.infolist()}
    with zipfile.ZipFile(tmp_path / "b.pt", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content[:4] if "/data/" in name else content)
    assert weights_of([tmp_path / "b.pt"]) is None
    with zipfile.ZipFile(io.BytesIO((tmp_path / "a.pt").read_bytes())) as archive:
        assert archive.testzip() is None


# Lineage


def test_lineage_leads_from_data_over_two_runs_to_a_deployed_file(store: Store, tmp_path: Path) -> None:
    torch.manual_seed(1)
    folder = tmp_path / "first"
    saving = with_lightning.checkpoint(folder, filename="{step}")
    with_lightning.trainer(LightningCallback(), saving, enable_checkpointing=True).fit(
        with_lightning.Tiny(), with_lightning.data()
    )
    (first,) = store.runs()
    module = with_lightning.Tiny()
    second_saving = with_lightning.checkpoint(tmp_path / "second", filename="{step}")
    with_lightning.trainer(LightningCallback(), second_saving, enable_checkpointing=True, max_epochs=5).fit(
        module, with_lightning.data(), ckpt_path=saving.best_model_path, weights_only=False
    )
    second = store.runs()[0]
    save_file(module.state_dict(), tmp_path / "deployed.safetensors")
    graph = document("lineage", "--json", str(tmp_path / "deployed.safetensors"))
    kinds = {node["id"]: (node["kind"], node["name"]) for node in graph["nodes"]}
    edges = {(kinds[edge["from"]][1], edge["relation"], kinds[edge["to"]][1]) for edge in graph["edges"]}
    checkpoints = [Path(item.best_model_path).name for item in (saving, second_saving)]
    assert edges >= {
        (first.name, "wrote", checkpoints[0]),
        (checkpoints[0], "resumed_from", second.name),
        (second.name, "wrote", checkpoints[1]),
        (checkpoints[1], "same weights", "deployed.safetensors"),
    }
    data = {node for node, (kind, _) in kinds.items() if kind == "data"}
    assert {edge["to"] for edge in graph["edges"] if edge["from"] in data} == {first.id, second.id}
    assert kinds[graph["root"]] == ("file", "deployed.safetensors")
    printed = runlore("lineage", first.id).output
    assert printed.index(first.name) < printed.index(checkpoints[0]) < printed.index(second.name)
    readers = [item for item in document("which-run", "--json", saving.best_model_path) if item["relation"] == "read"]
    assert [(item["run"], item["roles"]) for item in readers] == [(second.id, ["resumed_from"])]


def test_lineage_of_data_that_a_run_wrote(store: Store, tmp_path: Path) -> None:
    table = tmp_path / "features.csv"
    table.write_text("1,2\n3,4\n")
    with store.start_run("prepare") as run:
        run.log_artifact(table, kind="data")
    with store.start_run("train") as run:
        run.log_data("train", table)
        (tmp_path / "model").write_text("weights")
        run.log_artifact(tmp_path / "model", kind="model")
    graph = document("lineage", "--json", str(tmp_path / "model"))
    names = {node["id"]: node["name"] for node in graph["nodes"]}
    edges = [(names[edge["from"]], edge["relation"], names[edge["to"]]) for edge in graph["edges"]]
    assert sorted(edges) == [
        ("features.csv", "read", "train"), ("prepare", "wrote", "features.csv"), ("train", "wrote", "model")
    ]  # fmt: skip
    asked = document("lineage", "--json", str(table))
    assert len({node["id"].removeprefix("data:") for node in asked["nodes"]}) == len(asked["nodes"]) == 4
    assert len(asked["edges"]) == 3
    found = document("which-run", "--json", str(table))
    assert {(item["name"], item["relation"]) for item in found} == {("prepare", "wrote"), ("train", "read")}
    assert "prepare" in runlore("lineage", "train").output
    assert "train" in runlore("lineage", "prepare").output


def test_what_comes_of_several_datasets_stands_below_the_last(store: Store, tmp_path: Path) -> None:
    with store.start_run("train") as run:
        for number in range(3):
            run.log_data(f"part-{number}", [number])
        (tmp_path / "model").write_text("weights")
        run.log_artifact(tmp_path / "model", kind="model")
    lines = runlore("lineage", "train").output.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["data"] * 3
    assert ("run train" in lines[3], "model model" in lines[4], len(lines)) == (True, True, 5)


def test_lineage_of_nothing_known_says_so(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    assert "no store" in runlore("lineage", str(tmp_path / "file")).output
    store.start_run("a").finish()
    done = runlore("lineage", str(tmp_path / "file"))
    assert (done.exit_code, "Nothing is known" in done.output) == (1, True)
    done = runlore("lineage", "nope")
    assert (done.exit_code, "no run matches 'nope'" in done.output) == (1, True)
    assert runlore("lineage", "a").exit_code == 0


# What attackers have tried


def pickled(*operations: bytes) -> bytes:
    return b"\x80\x04" + b"".join(operations) + b"."


TENSOR = b"ctorch._utils\n_rebuild_tensor_v2\n"
NESTED = b"K\x01" + b"q\x00h\x00\x86" * 60  # a tuple of tuples, whose hash takes 2^60 steps

HOSTILE = {
    "a key that takes for ever to hash": pickled(b"}", NESTED, b"K\x01s"),
    "keys of many items": pickled(b"}(", NESTED, b"K\x01u"),
    "a set": pickled(b"\x8f(", NESTED, b"\x90"),
    "a frozen set": pickled(b"(", NESTED, b"\x91"),
    "room for as much as it says": pickled(b"\x96" + struct.pack("<Q", 3 << 30)),
    "a storage whose name takes for ever to write": pickled(b"(U\x07storagectorch\nFloatStorage\n", NESTED, b"tQ"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_pickle_made_to_stall_or_swell_costs_nothing(what: str, tmp_path: Path) -> None:
    hostile(tmp_path / "a.pt", HOSTILE[what])
    tracemalloc.start()
    try:
        assert weights_of([tmp_path / "a.pt"]) is None
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_a_file_can_not_change_the_reader(tmp_path: Path) -> None:
    from runlore_lightning import _inert as reader

    hostile(tmp_path / "a.pt", pickled(TENSOR, b"(N}U\x08__name__U\x05OWNEDstb"))
    weights_of([tmp_path / "a.pt"])
    assert reader._tensor.__name__ == "_tensor"


def test_tensors_that_claim_more_than_there_is_make_a_file_unknown(store: Store, tmp_path: Path) -> None:
    store.start_run("a").finish()
    torch.save({"w": torch.ones(1).expand(700_000_000)}, tmp_path / "stride.pt")
    header = json.dumps({"w": {"dtype": "F32", "shape": [1 << 40, 1 << 40], "data_offsets": [0, 0]}}).encode()
    (tmp_path / "big").write_bytes(struct.pack("<Q", len(header)) + header)
    import h5py

    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("w", (700_000_000,), "f4", chunks=(1000,))
    with zipfile.ZipFile(tmp_path / "bomb.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", b"\x89HDF\r\n\x1a\n" + b"\0" * (300 << 20))
    for name in ("stride.pt", "big", "huge.h5", "bomb.keras"):
        assert which_run(store, tmp_path / name).found == ()
        assert weights_of([tmp_path / name]) is None, name


def test_a_long_chain_of_runs_is_readable(store: Store) -> None:
    before = None
    for number in range(120):
        with store.start_run(f"run-{number}") as run:
            if before is not None:
                run.link("resumed_from", before)
        before = run.id
    lines = runlore("lineage", "run-119").output.splitlines()
    assert len(lines) == 120
    assert max(map(len, lines)) < 120


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
    assert f"the weights in {str(path)!r} can't be read: plugin 'keras': " in done.stderr.replace("\n", " ")
