"""Files that a script opens by itself are artifacts and inputs, whoever has closed them."""

import codecs
import gzip
import io
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import runlore
from runlore import Store
from tests.scripts.test_files import Switch, read, written
from tests.scripts.test_files import made as made


def test_what_is_opened_to_be_written(store: Store, on: Switch) -> None:
    on("opened-files")
    with runlore.start_run():
        with open("log.txt", "w") as file:  # noqa: PTH123  # as people do
            file.write("epoch 1\n")
        with open(file="log.txt", mode="a") as file:  # noqa: PTH123
            file.write("epoch 2\n")
        Path("note.md").write_text("good")
        Path("raw.bin").write_bytes(b"\x00")
        with codecs.open("umlaut.txt", "w", "utf-8") as text:
            text.write("ä")
        with gzip.open("lines.gz", "wb") as lines:
            lines.write(b"1")
        with zipfile.ZipFile("all.zip", "w") as archive:
            archive.writestr("a", "b")
        with io.open("model.pkl", "wb") as binary:  # noqa: PTH123, UP020
            pickle.Pickler(binary).dump(Ridge())
        np.arange(3).tofile("tokens.bin")
    assert written(store) == dict.fromkeys(
        ("log.txt", "note.md", "raw.bin", "umlaut.txt", "lines.gz", "all.zip", "model.pkl", "tokens.bin"), "data"
    )


def test_what_is_opened_to_be_read(store: Store, on: Switch, made: Path) -> None:
    for name in ("corpus.txt", "names.txt", "settings.py"):
        (made / name).write_text("lr = 1\n")
    with gzip.open(made / "labels.gz", "wb") as packed:
        packed.write(b"1")
    on("opened-files")
    with runlore.start_run():
        open(made / "corpus.txt").close()  # noqa: PTH123
        assert (made / "names.txt").read_text()
        with open(made / "settings.py") as settings:  # noqa: PTH123
            exec(settings.read())  # noqa: S102
        with gzip.open(made / "labels.gz") as labels:
            assert labels.read() == b"1"
        Path("own.txt").write_text("x")
        assert Path("own.txt").read_text() == "x"
    assert written(store) == {"own.txt": "data"}
    names = ("corpus.txt", "names.txt", "settings.py", "labels.gz")
    assert read(store) == {f"made/{name}": "open" for name in names}


def test_who_says_more_of_a_file_is_heard(store: Store, on: Switch, made: Path) -> None:
    (made / "in.pkl").write_bytes(pickle.dumps(Ridge()))
    on("opened-files", "pickle")
    with runlore.start_run():
        with Path("model.pkl").open("wb") as file:
            pickle.dump(Ridge(), file)
        with (made / "in.pkl").open("rb") as file:
            pickle.load(file)  # noqa: S301
    assert written(store) == {"model.pkl": "model"}
    assert read(store) == {"made/in.pkl": "pickle.load"}


def test_what_is_no_file_of_the_users(
    store: Store, on: Switch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = open
    monkeypatch.chdir(tmp_path)
    switched = on("opened-files")
    assert open is io.open
    assert open == before
    os.mkfifo("pipe")
    with runlore.start_run():
        for place in ("/dev/null", "/proc/self/status", os.open("pipe", os.O_RDWR)):
            open(place).close()  # noqa: PTH123
        with pytest.raises(FileNotFoundError) as raised:
            open("missing")  # noqa: PTH123, SIM115
        assert raised.traceback[-1].path == Path(__file__)
        np.savetxt("table.txt", np.zeros(2))  # a library's own doing
    assert not written(store)
    assert not read(store)
    switched.disable()
    assert open is before


def test_what_python_shows_of_a_source_is_none_of_the_scripts_doing(store: Store, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("import json, warnings\nimport numpy\nwarnings.warn('mine')\nraise ValueError('it')  # here\n")
    shown = [
        subprocess.run([sys.executable, *start, script], check=False, capture_output=True, text=True).stderr
        for start in ([], ["-m", "runlore", "run", sys.executable])
    ]
    assert shown[1].startswith(shown[0])
    assert "warnings.warn('mine')\n" in shown[0]
    assert "raise ValueError('it')  # here\n" in shown[0]
    assert not read(store)
