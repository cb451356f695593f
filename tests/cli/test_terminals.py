"""Terminals: encodings that lack characters, and characters that take two columns."""

import json
import os
import subprocess

import pytest
from rich.cells import cell_len

from runlore import Store
from tests.commands import command, runlore

NAME = "模型-é"


@pytest.fixture
def foreign(store: Store) -> Store:
    for name, city in ((NAME, "Köln ★"), ("two", "Bonn")):
        with store.start_run(name, params={"städte": city}) as run:
            for step in range(4):
                run.log_metrics({"loss": 1 / (step + 1)}, step=step)
            run.note("übel")
    return store


def printed(encoding: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([command(), *arguments], env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_encoding_that_lacks_characters_ends_no_command(foreign: Store, encoding: str) -> None:
    listed = printed(encoding, "ls")
    assert "\\u6a21\\u578b-" in listed
    assert ("Köln" in listed) is (encoding == "latin-1")
    shown = printed(encoding, "show", NAME)
    assert "###" not in shown.splitlines()[0]
    assert "4  #" in shown, "the curve falls from its highest sign"
    assert "two" in printed(encoding, "diff", "two", NAME)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("arguments", [["ls"], ["show", NAME], ["diff", "two", NAME]])
def test_json_is_whole_in_every_encoding(foreign: Store, encoding: str, arguments: list[str]) -> None:
    assert json.loads(printed(encoding, *arguments, "--json")) == json.loads(runlore(*arguments, "--json").stdout)


@pytest.mark.parametrize("width", [80, 120])
def test_wide_characters_cut_no_column(store: Store, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for number, name in enumerate(("使用残差网络的第一次实验运行结果对比", "b")):
        with store.start_run(name, params={"模型": "残差网络" * (1 + number), "lr": 0.125 * (number + 1)}) as run:
            run.log_metrics({"准确率": 0.5 + number})
    listed = runlore("ls").output.splitlines()
    assert all("finished" in line for line in listed[1:])
    assert {cell_len(line.rstrip()) for line in listed} <= set(range(width + 1))
    asked = runlore("ls", "-c", "params.模型", "-c", "metrics.准确率").output.splitlines()
    assert [line.split()[-1] for line in asked] == ["准确率", "1.5", "0.5"]
    assert len({cell_len(line) for line in asked}) == 1, "numbers stand below each other"


def test_times_say_their_zone(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    store.start_run("one").finish()
    column = runlore("ls", "-c", "started").output.splitlines()[1].split("finished", 1)[1].strip()
    assert column == f"{store.run('one').started:%Y-%m-%d %H:%M:%S}Z"
    assert "one" in runlore("ls", f"started >= '{column}'").output, "it can be asked for as it is shown"
