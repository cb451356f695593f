"""What `runlore run` leaves of scripts that draw, save and load: the files are theirs, the record is complete."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from runlore import Store
from runlore.provenance.lineage import lineage
from runlore.store.runs import RecordedRun

TRAIN = """
import warnings
import matplotlib
matplotlib.use("svg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import joblib
from sklearn.linear_model import Ridge

plt.rcParams["svg.hashsalt"] = "1"
table = pd.read_csv("in.csv")
models = {}
for alpha in (1.0, 2.0):
    models[alpha] = Ridge(alpha=alpha).fit(table[["x"]], table["y"])
    joblib.dump(models[alpha], f"ridge_{alpha:g}.joblib")
joblib.dump({"best": models[1.0], "scores": [0.5, 0.4]}, "best.joblib")
plt.plot(table["x"], table["y"])
plt.savefig("fit.svg", metadata={"Date": None})
plt.show()
table.assign(z=models[1.0].predict(table[["x"]])).to_csv("out.csv", index=False)
warnings.warn("mine")
print("done")
raise SystemExit(joblib.load("missing.joblib") if table.empty else 3)
"""
USE = """
import joblib, pandas as pd
model = joblib.load("best.joblib")["best"]
print(model.predict(pd.read_csv("out.csv")[["x"]]))
"""


def run(work: Path, *command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *command], cwd=work, env=dict(os.environ), capture_output=True, text=True)


def top(store: Store, name: str) -> RecordedRun:
    (found,) = store.runs(f"name == '{name}'")
    return found


def made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


LIGHT = """
import pickle, sys
import numpy as np
class Model:
    def predict(self): ...
if "use" in sys.argv:
    with open("model.pkl", "rb") as file: pickle.load(file)
    np.load("array.npy")
else:
    with open("model.pkl", "wb") as file: pickle.dump(Model(), file)
    np.save("array", np.load("in.npy") + 1)
"""


def test_scripts_are_linked_by_the_files_that_one_writes_and_another_reads(store: Store, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", np.arange(3))
    (tmp_path / "light.py").write_text(LIGHT)
    for name in ("make", "use"):
        done = run(tmp_path, "-m", "runlore", "run", "--name", name, "light.py", name)
        assert (done.returncode, done.stdout) == (0, "")
    graph = lineage(store, top(store, "make"))
    names = {node.id: node.name for node in graph.nodes.values()}
    edges = {(names[edge.start], edge.relation, names[edge.end]) for edge in graph.edges}
    files = ("model.pkl", "array.npy")
    assert edges >= {("in.npy", "read", "make"), *(("make", "wrote", name) for name in files)}
    assert edges >= {(name, "read", "use") for name in files}


def test_files_among_the_arguments_are_told(store: Store, tmp_path: Path) -> None:
    (tmp_path / "in.json").write_text("[1]")
    (tmp_path / "tool.py").write_text(
        "import argparse, json\nparser = argparse.ArgumentParser()\n"
        "parser.add_argument('source')\nparser.add_argument('--out')\nargs = parser.parse_args()\n"
        "with open(args.source) as file: found = json.load(file)\n"
        "with open(args.out, 'w') as file: json.dump(found * 2, file)\n"
    )
    assert run(tmp_path, "-m", "runlore", "run", "--name", "t", "tool.py", "in.json", "--out", "out.json").stdout == ""
    found = top(store, "t")
    assert found.data["in.json"]["read_by"] == "json.load"
    assert found.artifact("out.json").read_bytes() == b"[1, 1]"
    assert found.params["source"] == "in.json"


@pytest.mark.stress
def test_a_script_is_recorded_and_what_it_writes_is_its_own(store: Store, tmp_path: Path) -> None:
    folders = []
    for name in ("bare", "ours"):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        (folders[-1] / "train.py").write_text(TRAIN)
        (folders[-1] / "in.csv").write_text("x,y\n1,2\n2,3\n3,5\n")
    bare = run(folders[0], "train.py")
    ours = run(folders[1], "-m", "runlore", "run", "--name", "train", "train.py")
    assert (ours.stdout, ours.returncode) == (bare.stdout, bare.returncode) == ("done\n", 3)
    told = [line.replace(str(folders[1]), str(folders[0])) for line in ours.stderr.splitlines()]
    assert [line for line in told if not line.startswith("runlore: ")] == bare.stderr.splitlines()
    assert made(folders[1]) == made(folders[0])

    found = top(store, "train")
    own = {item.name: item.kind for item in found.artifacts if item.kind not in ("code", "log")}
    assert own == {"fit.svg": "plot", "figure-1.png": "plot", "out.csv": "data"}
    assert found.data["in.csv"]["read_by"] == "pandas.read_csv"
    children = store.runs(f"parent == '{found.id}'")
    dumped = sorted(item.name for child in children for item in child.artifacts if item.name.endswith(".joblib"))
    assert dumped == ["best.joblib", "ridge_1.joblib", "ridge_2.joblib"]

    (folders[1] / "use.py").write_text(USE)
    assert run(folders[1], "-m", "runlore", "run", "--name", "use", "use.py").returncode == 0
    graph = lineage(store, top(store, "use"))
    names = {node.id: node.name for node in graph.nodes.values()}
    edges = {(names[edge.start], edge.relation, names[edge.end]) for edge in graph.edges}
    assert edges >= {("train", "wrote", "out.csv"), ("out.csv", "read", "use"), ("best.joblib", "read", "use")}
    assert ("in.csv", "read", "train") in edges


SPAWNS = """
import sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from torch.utils.tensorboard import SummaryWriter
def train(rank):
    dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}/meet", rank=rank, world_size=2)
    model = DistributedDataParallel(torch.nn.Linear(2, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    writer = SummaryWriter(f"{sys.argv[1]}/board-{rank}")
    for step in range(2):
        model(torch.ones(4, 2)).sum().backward()
        optimizer.step()
        writer.add_scalar(f"mine_{rank}", step, step)
    torch.save(model.module.state_dict(), f"weights_{rank}.pt")
    dist.destroy_process_group()
if __name__ == "__main__":
    torch.multiprocessing.spawn(train, nprocs=2)
"""


@pytest.mark.stress
def test_what_the_leader_among_spawned_processes_does_is_recorded(store: Store, tmp_path: Path) -> None:
    """Its numbers and its files, as those of one that a launcher starts; those beside it leave none."""
    (tmp_path / "train.py").write_text(SPAWNS)
    done = run(tmp_path, "-m", "runlore", "run", "train.py", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (found,) = store.runs()
    assert "loss" in found.metrics
    assert {key for key in found.metrics if "mine" in key} == {"mine_0"}
    assert [item.name for item in found.artifacts if item.kind == "model"] == ["weights_0.pt"]
