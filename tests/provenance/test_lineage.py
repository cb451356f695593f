"""Where runs and files come from, and what came of them."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from runlore import Store
from runlore.provenance.lineage import lineage
from runlore.provenance.origins import Target
from runlore.recording.run import Run
from runlore_lightning import RunloreCallback as LightningCallback
from tests.commands import document, runlore
from tests.lightning import models as with_lightning


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


def write_model(run: Run, path: Path, content: bytes, fingerprint: str) -> str:
    """Record a file whose weights are known; return its hash."""
    path.write_bytes(content)
    run.log_artifact(path, kind="model")
    sha256 = hashlib.sha256(content).hexdigest()
    run.run_log.event({"type": "weights", "sha256": sha256, "fingerprints": [fingerprint], "shapes": [], "tensors": []})
    return sha256


def test_all_files_with_the_same_weights_lead_to_their_data(store: Store, tmp_path: Path) -> None:
    for name in ("first", "second"):
        with store.start_run(name) as run:
            run.log_data(f"data of {name}", [name])
            write_model(run, tmp_path / name, name.encode(), "f" * 64)
    graph = lineage(store, Target("f" * 64, None))
    names = {node.name for node in graph.nodes.values()}
    assert names == {"first", "second", "data of first", "data of second", "f" * 12}
    assert {(graph.nodes[edge.start].name, edge.relation) for edge in graph.edges} >= {
        ("data of first", "read"), ("data of second", "read"), ("first", "same weights"), ("second", "same weights")
    }  # fmt: skip


def test_contents_that_come_back_close_no_cycle(store: Store, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    with store.start_run("there") as run:
        run.log_data("a", tmp_path / "a")
        run.log_artifact(tmp_path / "b")
    with store.start_run("back") as run:
        run.log_data("b", tmp_path / "b")
        run.log_artifact(tmp_path / "a")
    graph = lineage(store, tmp_path / "a")
    assert len(graph.edges) == 3
    assert not any(graph.leads(edge.end, edge.start) for edge in graph.edges)


def test_a_graph_with_too_many_nodes_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.start_run("base") as base:
        pass
    for number in range(5):
        with store.start_run(f"run-{number}") as run:
            run.link("started_from", base.id)
    monkeypatch.setattr("runlore.provenance.lineage.MAX_NODES", 3)
    assert lineage(store, base.id).cut
    monkeypatch.undo()
    assert not lineage(store, base.id).cut
