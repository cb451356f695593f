"""What the libraries of a script write becomes artifacts, what they read becomes inputs: for each function of each."""

import gzip
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import runlore
from runlore import Store
from runlore.plugins.autolog import Autolog
from runlore.store.runs import RecordedRun
from runlore_scripts._models import is_model
from runlore_scripts._switches import SWITCHES
from runlore_scripts._torch import kind_of

Switch = Callable[..., Autolog]


def only(store: Store) -> RecordedRun:
    (found,) = store.runs()
    return found


def written(store: Store) -> dict[str, str]:
    """The kinds of the files that the only run has written; each is kept as it lies on the disk."""
    found = [item for item in only(store).artifacts if item.kind not in ("code", "log")]
    for item in found:
        path = Path(str(item.path))
        assert item.is_folder or item.read_bytes() == path.read_bytes(), path
    return {item.name: item.kind for item in found}


def read(store: Store) -> dict[str, str]:
    """What has read the inputs of the only run, by name; all have a fingerprint."""
    assert all(facts["fingerprint"] for facts in only(store).data.values())
    return {name: facts["read_by"] for name, facts in only(store).data.items()}


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A folder with files that nobody recorded."""
    folder = tmp_path / "made"
    folder.mkdir()
    return folder


@pytest.mark.shows("torch", "checkpoints")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_torch(store: Store, on: Switch, made: Path) -> None:
    model = torch.nn.Linear(2, 2)
    torch.save(model.state_dict(), made / "in.pt")
    on("torch-files")
    with runlore.start_run():
        for _ in range(3):
            torch.save(model.state_dict(), "weights.pt")
        torch.save({"model": model.state_dict(), "optimizer": {}, "epoch": 3}, f="checkpoint.pt")
        with Path("tensor.pt").open("wb") as file:
            torch.save(torch.zeros(2), file)
        torch.load(made / "in.pt")
        torch.load("weights.pt")
        torch.jit.save(torch.jit.script(torch.nn.ReLU()), "scripted.pt")
    assert written(store) == {
        "weights.pt": "model", "checkpoint.pt": "checkpoint", "tensor.pt": "data", "scripted.pt": "model",
    }  # fmt: skip
    assert read(store) == {"made/in.pt": "torch.load"}


def test_joblib_and_pickle_count_for_models_only(store: Store, on: Switch, made: Path) -> None:
    model = Ridge()
    joblib.dump(model, made / "in.joblib")
    with gzip.open(made / "in.pkl.gz", "wb") as packed:
        pickle.dump([model], packed)
    on("joblib", "pickle")
    with runlore.start_run():
        joblib.dump({"model": model, "score": 0.5}, "model.joblib")
        joblib.dump({"scores": [0.5]}, "scores.joblib")
        with Path("model.pkl").open("wb") as file:
            pickle.dump(model, file)
            pickle.dump({"more": 1}, file)
        with Path("scores.pkl").open("wb") as file:
            pickle.dump({"scores": [0.5]}, file)
        joblib.load(made / "in.joblib")
        joblib.load("scores.joblib")
        with gzip.open(made / "in.pkl.gz") as packed:
            pickle.load(packed)
    assert written(store) == {"model.joblib": "model", "model.pkl": "model"}
    assert read(store) == {"made/in.joblib": "joblib.load", "made/in.pkl.gz": "pickle.load"}


def test_safetensors(store: Store, on: Switch, made: Path) -> None:
    safetensors.torch.save_file({"w": torch.zeros(1)}, made / "in.safetensors")
    on("safetensors")
    with runlore.start_run():
        safetensors.torch.save_file({"w": torch.zeros(2)}, "torch.safetensors")
        safetensors.torch.save_model(torch.nn.Linear(1, 1), "model.safetensors")
        safetensors.numpy.save_file({"w": np.zeros(2)}, "numpy.safetensors")
        safetensors.torch.load_file(made / "in.safetensors")
    assert written(store) == dict.fromkeys(["torch.safetensors", "model.safetensors", "numpy.safetensors"], "model")
    assert read(store) == {"made/in.safetensors": "safetensors.torch.load_file"}


def test_numpy(store: Store, on: Switch, made: Path) -> None:
    np.save(made / "in.npy", np.arange(3))
    np.savetxt(made / "in.txt", np.arange(3))
    np.arange(3).tofile(made / "in.bin")
    on("numpy-files")
    with runlore.start_run():
        np.save("a", np.zeros(1))
        np.save(file=Path("b.npy"), arr=np.zeros(1))
        np.savez("c.npz", x=np.zeros(1))
        np.savez_compressed("d", x=np.zeros(1))
        np.savetxt("e.txt", np.zeros(1))
        np.load(made / "in.npy")
        np.loadtxt(fname=made / "in.txt")
        np.memmap(made / "in.bin", mode="r")
        np.memmap("f.bin", np.uint8, "w+", shape=4)[:] = 7
    assert written(store) == dict.fromkeys(["a.npy", "b.npy", "c.npz", "d.npz", "e.txt", "f.bin"], "data")
    assert read(store) == {
        "made/in.npy": "numpy.load", "made/in.txt": "numpy.loadtxt", "made/in.bin": "numpy.memmap",
    }  # fmt: skip


def test_pandas(store: Store, on: Switch, made: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2]})
    frame.to_csv(made / "in.csv")
    frame.to_parquet(made / "in.parquet")
    on("pandas-files")
    with runlore.start_run():
        frame.to_csv("a.csv")
        frame["a"].to_csv("b.csv")
        frame.to_parquet(path="c.parquet")
        frame.to_pickle("d.pkl")
        frame.to_json("e.json")
        assert frame.to_csv().startswith(",a")
        pd.read_csv(made / "in.csv")
        pd.read_parquet(path=made / "in.parquet")
        pd.read_csv(filepath_or_buffer="a.csv")
    assert written(store) == dict.fromkeys(["a.csv", "b.csv", "c.parquet", "d.pkl", "e.json"], "data")
    assert read(store) == {"made/in.csv": "pandas.read_csv", "made/in.parquet": "pandas.read_parquet"}


def test_polars(store: Store, on: Switch, made: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2]})
    for name in ("in.csv", "lazy.csv"):
        frame.write_csv(made / name)
    on("polars-files")
    with runlore.start_run():
        frame.write_csv("a.csv")
        frame.write_parquet(file="b.parquet")
        frame.lazy().sink_csv("c.csv")
        pl.read_csv(made / "in.csv")
        pl.scan_csv(made / "lazy.csv").collect()
    assert written(store) == dict.fromkeys(["a.csv", "b.parquet", "c.csv"], "data")
    assert read(store) == {"made/in.csv": "polars.read_csv", "made/lazy.csv": "polars.scan_csv"}


def test_datasets(store: Store, on: Switch, made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(made / "home"))
    import datasets

    datasets.disable_progress_bars()
    data = datasets.Dataset.from_dict({"a": [1, 2]})
    data.save_to_disk(made / "in")
    on("datasets")
    with runlore.start_run():
        data.save_to_disk("out")
        data.to_csv("out.csv")
        datasets.load_from_disk(made / "in")
    assert written(store) == {"out": "data", "out.csv": "data"}
    assert read(store) == {"made/in": "datasets.load_from_disk"}
    assert only(store).data["made/in"]["kind"] == "folder"


def test_plotly(store: Store, on: Switch) -> None:
    import plotly.graph_objects as go
    import plotly.io

    on("plotly")
    figure = go.Figure(go.Scatter(y=[1, 2]))
    with runlore.start_run():
        figure.write_html("a.html", include_plotlyjs=False)
        plotly.io.write_json(figure, "b.json")
        figure.to_html(include_plotlyjs=False)
    assert written(store) == {"a.html": "plot", "b.json": "plot"}


def test_copies(store: Store, on: Switch, made: Path) -> None:
    on("copied-files", "numpy-files")
    in_set = os.rename in os.supports_dir_fd
    with runlore.start_run():
        for number in range(2):
            np.save("last.tmp.npy", np.full(1, number))
            os.replace("last.tmp.npy", "last.npy")  # noqa: PTH105
        shutil.copyfile("last.npy", "best.npy")
        np.save("c.npy", np.zeros(2))
        Path("c.npy").rename("d.npy")
        np.save("e.npy", np.zeros(3))
        shutil.copy("e.npy", made)
        shutil.move("e.npy", "f.npy")
        shutil.copy(made / "e.npy", made / "g.npy")
        (made / "mine").write_text("x")
        shutil.copy(made / "mine", "mine")
    assert in_set is True
    names = ["last.npy", "best.npy", "d.npy", "e.npy", "f.npy", "g.npy"]
    assert written(store) == dict.fromkeys(names, "data")


@pytest.mark.stress
@pytest.mark.filterwarnings("ignore")
def test_keras(store: Store, on: Switch, made: Path) -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.save(made / "in.keras")
    on("keras-files")
    with runlore.start_run():
        model.save("a.keras")
        model.save_weights(filepath="b.weights.h5")
        keras.saving.save_model(model, "c.keras")
        keras.models.load_model(made / "in.keras")
        model.load_weights("b.weights.h5")
    assert written(store) == dict.fromkeys(["a.keras", "b.weights.h5", "c.keras"], "model")
    assert read(store) == {"made/in.keras": "keras.saving.load_model"}


# Which objects are models


class Scorer:
    def predict(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Ridge(), True),
        (StandardScaler(), True),
        (torch.nn.Linear(1, 1), True),
        (Scorer(), True),
        ([{"model": (Ridge(),)}], True),
        (Ridge, False),
        (pd.DataFrame(), False),
        (np.zeros(2), False),
        ({"scores": [1, 2]}, False),
        ([[[[Ridge()]]]], False),
        (object(), False),
    ],
)
def test_a_model_is_told_by_the_methods_of_its_class(value: Any, expected: bool) -> None:
    assert is_model(value) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.nn.Linear(1, 1), "model"),
        (torch.nn.Linear(1, 1).state_dict(), "model"),
        ({"layer.weight": torch.zeros(1)}, "model"),
        ({"net": {"layer.weight": torch.zeros(1)}, "epoch": 1}, "model"),
        ({"net": {}, "optimizer_state_dict": {}}, "checkpoint"),
        ({"net": {}, "opt": torch.optim.SGD([torch.zeros(1)]).state_dict()}, "checkpoint"),
        ({"x": torch.zeros(1), "y": torch.zeros(1)}, "data"),
        (torch.zeros(1), "data"),
        ([torch.zeros(1)], "data"),
    ],
)
def test_torch_files_are_told_apart(value: Any, expected: str) -> None:
    assert kind_of(value) == expected


@pytest.mark.stress
def test_libraries_for_training(store: Store, on: Switch, made: Path) -> None:
    """Fabric, accelerate and transformers write and read what the user's own code asks them to."""
    from accelerate import Accelerator
    from lightning_fabric import Fabric
    from transformers import BertConfig, BertModel

    sizes = {
        "hidden_size": 4,
        "intermediate_size": 4,
        "num_attention_heads": 1,
        "num_hidden_layers": 1,
        "vocab_size": 3,
    }
    fabric, accelerator, bert = (
        Fabric(accelerator="cpu", devices=1),
        Accelerator(cpu=True),
        BertModel(BertConfig(**sizes)),
    )
    model = accelerator.prepare(fabric.setup(torch.nn.Linear(2, 2)))
    bert.save_pretrained(made / "bert")
    fabric.save(made / "state.ckpt", {"model": model})
    on("fabric-files", "accelerate-files", "transformers-files", "torch-files")
    with runlore.start_run():
        fabric.load(made / "state.ckpt", {"model": model})
        fabric.save("fabric.ckpt", {"model": model})
        accelerator.save(model.state_dict(), "weights.pt")
        accelerator.save_state("state")
        accelerator.load_state("state")
        accelerator.save_model(model, save_directory="accelerated")
        BertModel.from_pretrained(made / "bert").save_pretrained("bert-2")
    assert written(store) == {
        "fabric.ckpt": "checkpoint", "weights.pt": "model", "state": "checkpoint", "accelerated": "model",
        "bert-2": "model",
    }  # fmt: skip
    assert {name.partition("/")[2].partition("/")[0] for name in read(store)} == {"state.ckpt", "bert"}


# Whose calls count


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "own_data.py").write_text(
        "import numpy as np\ndef fetch(path): return np.load(path)\ndef keep(path): np.save(path, np.zeros(1))\n"
        "class Kept:\n    def load(self, path): return load(path)\n"
        "def load(path): return np.load(path)\ndef save(path): np.save(path, np.zeros(1))\n"
    )
    monkeypatch.syspath_prepend(str(folder))
    yield import_module("own_data")
    monkeypatch.delitem(__import__("sys").modules, "own_data")


def test_a_library_that_reads_its_own_data_is_not_told(store: Store, on: Switch, made: Path, library: Any) -> None:
    np.save(made / "in.npy", np.arange(3))
    on("numpy-files")
    with runlore.start_run():
        library.fetch(made / "in.npy")
        library.keep(made / "out.npy")
    assert (written(store), read(store)) == ({}, {})


def test_a_library_that_passes_a_call_on_is_told(store: Store, on: Switch, made: Path, library: Any) -> None:
    """As `seaborn`'s `savefig` calls matplotlib's, and `Accelerator.save` torch's: by functions of the same name."""
    np.save(made / "in.npy", np.arange(3))
    on("numpy-files")
    with runlore.start_run():
        library.Kept().load(made / "in.npy")
        library.save(made / "out.npy")
    assert written(store) == {"out.npy": "data"}
    assert read(store) == {"made/in.npy": "numpy.load"}


# On and off


def contents() -> dict[tuple[Any, str], Any]:
    """What the libraries of these tests hold at the places that are followed, and around them."""
    from matplotlib import figure, pyplot

    classes = [figure.Figure, pd.DataFrame, *pd.DataFrame.__mro__[1:-1], pl.DataFrame, pl.LazyFrame]
    modules = [pyplot, torch, torch.jit, safetensors.torch, safetensors.numpy, joblib, joblib.numpy_pickle, pickle]
    owners = [*classes, *modules, import_module("_pickle"), os, import_module("posix"), shutil, np, pd, pl]
    return {(owner, name): value for owner in owners for name, value in vars(owner).items() if callable(value)}


@pytest.mark.parametrize("sklearn_first", [True, False])
def test_two_that_follow_one_function_leave_it_as_it_was(sklearn_first: bool) -> None:
    """scikit-learn's own wrappers of `joblib.dump` and `pickle.load` stand around ours, or ours around them."""
    names = ["sklearn", *(name for name in SWITCHES if name not in ("datasets", "keras-files"))]
    before = contents()
    with runlore.autolog(*(names[:1] if sklearn_first else names[1:])), runlore.autolog(*names):
        during = contents()
    after = contents()
    changed = {key[1] for key, value in before.items() if during[key] is not value}
    assert changed >= {"savefig", "show", "save", "load", "dump", "read_csv", "to_csv", "write_csv", "save_file"}
    assert [key for key, value in before.items() if after[key] is not value] == []
