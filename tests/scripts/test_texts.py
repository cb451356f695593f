"""Texts with results and settings, pages of figures, pictures and what else a script writes by an open file."""

import configparser
import csv
import io
import json
import logging
import logging.config
import os
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
import safetensors.numpy
import torch
from matplotlib.animation import ArtistAnimation, PillowWriter
from matplotlib.backends.backend_pdf import PdfPages
from PIL import Image
from safetensors import safe_open
from sklearn.linear_model import Ridge

import runlore
from runlore import Store
from tests.scripts.test_files import Switch, read, written
from tests.scripts.test_files import made as made

cloudpickle: Any = import_module("cloudpickle")  # without types, as all three
LOGGING = """
[loggers]
keys = root, configured
[handlers]
keys = file
[formatters]
keys =
[logger_root]
handlers =
[logger_configured]
qualname = configured
handlers = file
[handler_file]
class = FileHandler
args = ("info.log",)
"""
dill: Any = import_module("dill")
yaml: Any = import_module("yaml")


def test_json_yaml_and_toml(store: Store, on: Switch, made: Path) -> None:
    for name in ("in.json", "in.yaml"):
        (made / name).write_text("{}")
    (made / "in.toml").write_text("x = 1")
    on("json", "yaml", "tomllib")
    with runlore.start_run():
        with Path("scores.json").open("w") as file:
            json.dump({"acc": 0.5}, fp=file)
        with Path("config.yaml").open("w") as file:
            yaml.safe_dump({"lr": 1}, file)
            yaml.dump({"depth": 1}, stream=file)
        assert yaml.safe_load("lr: 1") == {"lr": 1}
        assert yaml.dump([1]) == "- 1\n"
        for name, load in (("in.json", json.load), ("in.yaml", yaml.safe_load), ("in.toml", tomllib.load)):
            with (made / name).open("rb") as binary:
                load(binary)
        with os.fdopen(os.pipe()[1], "w") as pipe:
            json.dump({}, pipe)
    assert written(store) == {"scores.json": "data", "config.yaml": "data"}
    assert read(store) == {
        "made/in.json": "json.load", "made/in.yaml": "yaml.safe_load", "made/in.toml": "tomllib.load",
    }  # fmt: skip


def test_files_of_settings(store: Store, on: Switch, made: Path) -> None:
    (made / "configs").mkdir()
    for name, text in {
        "config.json": '{"lr": 0.1, "net": {"depth": 2}}',
        "train-params.yaml": "epochs: 3",
        "configs/small.toml": "size = 1",
        "scores.json": '{"acc": 1}',
        "logger_config.json": '{"version": 1}',
        "settings.yaml": "[1, 2]",
        "options.json": json.dumps({str(number): number for number in range(1000)}),
    }.items():
        (made / name).write_text(text)
    on("json", "yaml", "tomllib")
    with runlore.start_run():
        for name in ("config.json", "scores.json", "logger_config.json", "options.json"):
            with (made / name).open() as file:
                json.load(file)
        for name in ("train-params.yaml", "settings.yaml"):
            with (made / name).open() as file:
                yaml.safe_load(file)
        with (made / "configs/small.toml").open("rb") as binary:
            tomllib.load(binary)
    (run,) = store.runs()
    assert run.params == {"lr": 0.1, "net.depth": 2, "epochs": 3, "size": 1}


def test_csv(store: Store, on: Switch, made: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (made / name).write_text("x,y\n1,2\n")
    on("csv")
    with runlore.start_run():
        with Path("log.csv").open("w") as file:
            csv.writer(file).writerow([1, 2])
        with Path("rows.csv").open("w") as file:
            csv.DictWriter(file, ["a"]).writerow({"a": 1})
        with (made / "a.csv").open() as file:
            assert [*csv.reader(file)] == [["x", "y"], ["1", "2"]]
        with (made / "b.csv").open() as file:
            assert [*csv.DictReader(file)] == [{"x": "1", "y": "2"}]
        assert [*csv.reader(["1,2"])] == [["1", "2"]]
    assert written(store) == {"log.csv": "data", "rows.csv": "data"}
    assert read(store) == {"made/a.csv": "csv.reader", "made/b.csv": "csv.DictReader"}


def test_settings_of_configparser(store: Store, on: Switch, made: Path) -> None:
    (made / "in.ini").write_text("[train]\nlr = 1\n")
    on("configparser")
    with runlore.start_run():
        configparser.ConfigParser().read([made / "in.ini", made / "none.ini"])
    assert read(store) == {"made/in.ini": "configparser.read"}


def test_log_files(store: Store, on: Switch, made: Path) -> None:
    on("logging")
    log = logging.getLogger("of this test")
    with runlore.start_run() as run:
        handler = logging.FileHandler("train.log")
        log.addHandler(handler)
        log.warning("epoch 1")
        handler.close()
        log.removeHandler(handler)
    found = store.run(run.id).artifact("train.log")
    assert (found.kind, found.read_bytes()) == ("log", b"epoch 1\n")


@pytest.mark.parametrize("kind", ["dictConfig", "fileConfig"])
def test_log_files_of_a_configuration(store: Store, on: Switch, made: Path, kind: str) -> None:
    on("logging")
    logging.getLogger("configured").disabled = False
    with runlore.start_run() as run:
        if kind == "dictConfig":
            handler = {"class": "logging.handlers.RotatingFileHandler", "filename": "info.log"}
            loggers = {"configured": {"handlers": ["file"]}}
            known = {"version": 1, "handlers": {"file": handler}, "loggers": loggers, "disable_existing_loggers": False}
            logging.config.dictConfig(known)
        else:
            (made / "logging.ini").write_text(LOGGING)
            logging.config.fileConfig(made / "logging.ini", disable_existing_loggers=False)
        log = logging.getLogger("configured")
        log.warning("epoch 1")
        for made_one in list(log.handlers):
            made_one.close()
            log.removeHandler(made_one)
    found = store.run(run.id).artifact("info.log")
    assert (found.kind, found.read_bytes().splitlines()[-1]) == ("log", b"epoch 1")


def test_log_files_of_loguru(store: Store, on: Switch, made: Path) -> None:
    logger = pytest.importorskip("loguru").logger
    on("loguru")
    with runlore.start_run() as run:
        sinks = [logger.add("train.log", format="{message}"), logger.add(io.StringIO())]
        logger.warning("epoch 1")
        for sink in sinks:
            logger.remove(sink)
    found = store.run(run.id).artifact("train.log")
    assert (found.kind, found.read_bytes()) == ("log", b"epoch 1\n")


def test_h5py(store: Store, on: Switch, made: Path) -> None:
    with h5py.File(made / "in.h5", "w") as file:
        file["x"] = np.arange(3)
    on("h5py")
    with runlore.start_run():
        with h5py.File("out.h5", mode="w") as file:
            file["x"] = np.arange(3)
        h5py.File(made / "in.h5").close()
    assert written(store) == {"out.h5": "data"}
    assert read(store) == {"made/in.h5": "h5py.File"}


def test_other_pickles(store: Store, on: Switch, made: Path) -> None:
    with (made / "in.pkl").open("wb") as file:
        dill.dump(Ridge(), file)
    on("cloudpickle", "dill")
    with runlore.start_run():
        for name, module in (("a.pkl", cloudpickle), ("b.pkl", dill)):
            with Path(name).open("wb") as file:
                module.dump(Ridge(), file)
        with (made / "in.pkl").open("rb") as file:
            assert isinstance(dill.load(file), Ridge)
    assert written(store) == {"a.pkl": "model", "b.pkl": "model"}
    assert read(store) == {"made/in.pkl": "dill.load"}


def test_tensors_that_are_read_one_by_one(store: Store, on: Switch, made: Path) -> None:
    safetensors.numpy.save_file({"w": np.zeros(2)}, made / "in.safetensors")
    on("safetensors")
    with runlore.start_run(), safetensors.safe_open(made / "in.safetensors", framework="np") as file:
        assert list(file.keys()) == ["w"]
    assert isinstance(file, safetensors.safe_open)
    assert type(file) is safe_open
    assert read(store) == {"made/in.safetensors": "safetensors.safe_open"}


@pytest.mark.filterwarnings("ignore")
def test_programs_of_torch(store: Store, on: Switch, made: Path) -> None:
    exported = torch.export.export(torch.nn.ReLU(), (torch.zeros(2),))
    torch.export.save(exported, made / "in.pt2")
    on("torch-files")
    with runlore.start_run():
        torch.export.save(exported, "out.pt2")
        torch.jit.script(torch.nn.ReLU()).save("scripted.pt")
        torch.export.load(made / "in.pt2")
    assert written(store) == {"out.pt2": "model", "scripted.pt": "model"}
    assert read(store) == {"made/in.pt2": "torch.export.load"}


def test_pages_and_films_of_figures(store: Store, on: Switch, made: Path) -> None:
    on("matplotlib")
    figure, axes = plt.subplots()
    with runlore.start_run():
        with PdfPages("pages.pdf") as pages:
            pages.savefig(figure)
            figure.savefig(pages, format="pdf")
        artists: list[list[Any]] = [[axes.plot([0, n])[0]] for n in range(2)]
        ArtistAnimation(figure, artists).save("film.gif", writer=PillowWriter(fps=1))
        plt.imsave("array.png", np.zeros((2, 2)))
    plt.close(figure)
    assert written(store) == dict.fromkeys(["pages.pdf", "film.gif", "array.png"], "plot")


def test_pictures(store: Store, on: Switch, made: Path) -> None:
    on("pictures")
    picture = Image.fromarray(np.zeros((2, 2, 3), dtype=np.uint8))
    with runlore.start_run():
        picture.save("a.png")
        picture.resize((1, 1)).save(fp=Path("b.jpg"))
        picture.save(io.BytesIO(), format="png")
    assert written(store) == {"a.png": "image", "b.jpg": "image"}


@pytest.mark.parametrize(
    ("library", "call"),
    [
        ("torchvision.utils", "save_image(__import__('torch').zeros(1, 3, 2, 2), 'a.png')"),
        ("cv2", "imwrite('a.png', picture)"),
        ("imageio", "imwrite('a.png', picture)"),
        ("imageio.v2", "mimsave('a.gif', [picture, picture])"),
        ("imageio.v3", "imwrite('a.png', picture)"),
    ],
)
def test_pictures_of_other_libraries(store: Store, on: Switch, made: Path, library: str, call: str) -> None:
    module = pytest.importorskip(library)
    on("pictures")
    with runlore.start_run():
        eval(f"module.{call}", {"module": module, "picture": np.zeros((2, 2, 3), dtype=np.uint8)})
    assert list(written(store).values()) == ["image"]


def test_they_are_followed_once_imported_and_let_go_again(store: Store, on: Switch, made: Path) -> None:
    before = json.dump, csv.writer, csv.DictWriter.__init__, Image.Image.save
    switched = on("json", "csv", "pictures")
    during = json.dump, csv.writer, csv.DictWriter.__init__, Image.Image.save
    switched.disable()
    after = json.dump, csv.writer, csv.DictWriter.__init__, Image.Image.save
    assert all(x is not y for x, y in zip(before, during, strict=True))
    assert all(x is y for x, y in zip(before, after, strict=True))


def test_pictures_leave_room_for_other_files(store: Store, on: Switch, made: Path) -> None:
    on("pictures", "json")
    picture = Image.fromarray(np.zeros((2, 2, 3), dtype=np.uint8))
    with runlore.start_run() as run:
        for number in range(203):
            picture.save(f"{number}.png")
        with Path("scores.json").open("w") as file:
            json.dump({}, file)
    found = store.run(run.id)
    kinds = [item.kind for item in found.artifacts]
    assert (kinds.count("image"), kinds.count("data")) == (200, 1)
    assert [item["why"] for item in found.missing] == [
        "3 times a file was written beyond the first 1000, or a picture beyond the first 200"
    ]
