"""Settings that click, typer, Hydra and others parse are params of the program's run, before its own code runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runlore import Store

PROGRAMS = {
    "click": """
import click
@click.group()
@click.option("--debug", is_flag=True)
def main(debug): pass
@main.command()
@click.option("--lr", default=0.1)
@click.option("--api-key")
def train(lr, api_key): print("trains", lr)
main(["--debug", "train", "--lr", "0.5", "--api-key", "hunter2-and-more"])
""",
    "typer": """
import typer
def train(lr: float = 0.1, name: str = "a"): print("trains", lr)
typer.run(train)
""",
    "hydra": """
import hydra
@hydra.main(version_base=None, config_path=".", config_name="config")
def train(cfg): print("trains", cfg.lr)
train()
""",
    "absl": """
from absl import app, flags
flags.DEFINE_float("lr", 0.1, "")
def main(argv): print("trains", flags.FLAGS.lr)
app.run(main)
""",
    "jsonargparse": """
import jsonargparse
parser = jsonargparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
print("trains", parser.parse_args().lr)
""",
    "simple_parsing": """
import dataclasses, simple_parsing
@dataclasses.dataclass
class Config:
    lr: float = 0.1
print("trains", simple_parsing.parse(Config).lr)
""",
    "tyro": """
import dataclasses, tyro
@dataclasses.dataclass
class Config:
    lr: float = 0.1
print("trains", tyro.cli(Config).lr)
""",
    "pydantic_settings": """
from pydantic_settings import BaseSettings
class Config(BaseSettings):
    lr: float = 0.5
print("trains", Config().lr)
""",
}
EXPECTED: dict[str, dict[str, object]] = {
    "click": {"debug": True, "command": "train"},
    "typer": {"name": "a"},
    "hydra": {"model.width": 4},
}
ARGUMENTS: dict[str, list[str]] = {"hydra": ["lr=0.5"], "click": [], "pydantic_settings": []}


@pytest.mark.parametrize("name", [*PROGRAMS][:1] + [pytest.param(n, marks=pytest.mark.stress) for n in [*PROGRAMS][1:]])
def test_settings_are_params_of_the_program(store: Store, tmp_path: Path, name: str) -> None:
    pytest.importorskip(name)
    (tmp_path / "config.yaml").write_text("lr: 0.1\nmodel:\n  width: 4\n")
    (tmp_path / "train.py").write_text(PROGRAMS[name])
    words = [sys.executable, "train.py", *ARGUMENTS.get(name, ["--lr", "0.5"])]
    done = subprocess.run(
        [sys.executable, "-m", "runlore", "run", *words],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (0, "trains 0.5\n"), done.stderr
    (found,) = store.runs()
    assert found.params["lr"] == 0.5
    assert found.params.items() >= EXPECTED.get(name, {}).items()
    assert "hunter2" not in json.dumps(found.params, default=str)
    assert ("hydra.output_dir" in found.captured) == (name == "hydra")
