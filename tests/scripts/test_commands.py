"""Settings that click, typer, Hydra and others parse are params of the program's run, before its own code runs."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.process import Process

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
    "docopt": """
'''Usage: train.py [--lr=<rate>]'''
import docopt
print("trains", docopt.docopt(__doc__)["--lr"])
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
    "tyro function": """
import tyro
def train(lr: float = 0.1, *, name: str = "a"): print("trains", lr)
tyro.cli(train)
""",
    "tyro sub-command": """
import tyro
def train(lr: float = 0.1): print("trains", lr)
def evaluate(path: str): print("evaluates")
tyro.extras.subcommand_cli_from_dict({"fit": train, "evaluate": evaluate})
""",
    "tyro classes": """
import dataclasses, typing, tyro
@dataclasses.dataclass
class Adam:
    lr: float = 0.1
@dataclasses.dataclass
class Sgd:
    momentum: float = 0.9
print("trains", tyro.cli(typing.Union[Adam, Sgd]).lr)
""",
    "fire": """
import fire
def train(data, lr=0.1, **more): print("trains", lr)
fire.Fire(train)
""",
    "fire sub-command": """
import fire
def train(lr=0.1): print("trains", lr)
def evaluate(path): print("evaluates")
fire.Fire({"train": train, "evaluate": evaluate})
""",
    "fire class": """
import fire
class Trainer:
    def __init__(self, width=4): self.width = width
    def train(self, lr=0.1): print("trains", lr)
fire.Fire(Trainer)
""",
    "argparse parsed twice": """
import argparse
first = argparse.ArgumentParser(add_help=False)
first.add_argument("--config", default="none")
known, rest = first.parse_known_args()
second = argparse.ArgumentParser(parents=[first])
second.add_argument("--lr", type=float, default=0.1)
second.set_defaults(config="from-a-file")
print("trains", second.parse_args(rest).lr)
""",
    "argparse sub-commands": """
import argparse
def train(args): print("trains", args.lr)
parser = argparse.ArgumentParser()
parser.add_argument("--debug", action="store_true")
commands = parser.add_subparsers(dest="command")
one = commands.add_parser("train")
one.add_argument("--lr", type=float)
one.set_defaults(function=train)
args = parser.parse_args()
args.function(args)
""",
    "argparse slots": """
import argparse
class Options:
    __slots__ = ("lr",)
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
print("trains", parser.parse_args(namespace=Options()).lr)
""",
    "argparse intermixed": """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("names", nargs="*")
print("trains", parser.parse_intermixed_args().lr)
""",
    "simple_parsing parser": """
import dataclasses, simple_parsing
@dataclasses.dataclass
class Config:
    lr: float = 0.1
parser = simple_parsing.ArgumentParser()
parser.add_arguments(Config, dest="config")
parser.add_argument("--seed", type=int)
print("trains", parser.parse_args().config.lr)
""",
    "transformers": """
import dataclasses, transformers
@dataclasses.dataclass
class Config:
    lr: float = 0.1
    name: str = "a"
print("trains", transformers.HfArgumentParser(Config).parse_args_into_dataclasses()[0].lr)
""",
    "hydra compose": """
import hydra
with hydra.initialize(version_base=None, config_path="."):
    config = hydra.compose("config", ["lr=0.5", "+broken=${nowhere}"])
print("trains", config.lr)
""",
    "omegaconf": """
from omegaconf import OmegaConf
given = OmegaConf.from_cli()
print("trains", OmegaConf.merge(OmegaConf.load(given.path), given).lr)
""",
    "absl alone": """
import sys
from absl import flags
flags.DEFINE_float("lr", 0.1, "")
flags.FLAGS(sys.argv)
print("trains", flags.FLAGS.lr)
""",
    "jsonargparse function": """
import jsonargparse
def train(lr: float = 0.1): print("trains", lr)
jsonargparse.auto_cli(train)
""",
    "pydantic_settings": """
from pydantic_settings import BaseSettings
class Config(BaseSettings):
    lr: float = 0.5
print("trains", Config().lr)
""",
    "pydantic_settings program": """
from pydantic import BaseModel, Field
from pydantic_settings import BaseSettings, CliApp
class Part(BaseSettings):
    width: int = 3
class Config(BaseModel):
    lr: float = 0.1
    part: Part = Field(default_factory=Part)
    def cli_cmd(self): print("trains", self.lr)
CliApp.run(Config)
""",
}
AT_ONCE = {"click", "tyro sub-command", "fire", "argparse parsed twice", "argparse slots", "omegaconf"}
EXPECTED: dict[str, dict[str, object]] = {
    "click": {"debug": True, "command": "train"},
    "typer": {"name": "a"},
    "hydra": {"model.width": 4},
    "tyro function": {"lr": 0.5, "name": "a"},
    "tyro sub-command": {"lr": 0.5, "command": "train"},
    "tyro classes": {"lr": 0.5},
    "fire": {"data": "digits", "lr": 0.5, "seed": 3},
    "fire sub-command": {"lr": 0.5, "command": "train"},
    "fire class": {"width": 8, "lr": 0.5, "command": "train"},
    "argparse parsed twice": {"config": "from-a-file", "lr": 0.5},
    "argparse sub-commands": {"debug": True, "command": "train", "lr": 0.5},
    "argparse intermixed": {"names": ["a", "b"]},
    "simple_parsing parser": {"config.lr": 0.5, "seed": 3},
    "hydra compose": {"model.width": 4, "broken": "${nowhere}"},
    "omegaconf": {"model.width": 4, "path": "config.yaml"},
    "pydantic_settings program": {"part.width": 3},
}
ARGUMENTS: dict[str, list[str]] = {
    "hydra": ["lr=0.5"],
    "hydra compose": [],
    "omegaconf": ["path=config.yaml", "lr=0.5"],
    "click": [],
    "argparse intermixed": ["a", "--lr", "0.5", "b"],
    "simple_parsing parser": ["--lr", "0.5", "--seed", "3"],
    "pydantic_settings": [],
    "tyro sub-command": ["fit", "--lr", "0.5"],
    "tyro classes": ["adam", "--lr", "0.5"],
    "fire": ["digits", "--lr=0.5", "--seed=3"],
    "fire sub-command": ["train", "--lr=0.5"],
    "fire class": ["--width=8", "train", "--lr=0.5"],
    "argparse sub-commands": ["--debug", "train", "--lr", "0.5"],
}


@pytest.mark.parametrize("name", [n if n in AT_ONCE else pytest.param(n, marks=pytest.mark.stress) for n in PROGRAMS])
def test_settings_are_params_of_the_program(store: Store, tmp_path: Path, name: str) -> None:
    pytest.importorskip(name.partition(" ")[0])
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
    assert float(found.params["config.lr" if name == "simple_parsing parser" else "lr"]) == 0.5
    assert found.params.items() >= EXPECTED.get(name, {}).items()
    assert "hunter2" not in json.dumps(found.params, default=str)
    assert ("hydra.output_dir" in found.captured) == (name == "hydra")
    assert ("name" in found.captured) == (name == "transformers")
    assert "width" not in found.params.keys() - EXPECTED.get(name, {}).keys()


@pytest.mark.parametrize(
    ("setting", "is_there"),
    [
        ({"RUNLORE_DISABLED": "argparse"}, False),
        ({"RUNLORE_AUTOLOG": "sklearn"}, False),
        ({"RUNLORE_AUTOLOG": "argparse"}, True),
    ],
)
def test_arguments_have_a_switch(store: Store, tmp_path: Path, setting: dict[str, str], is_there: bool) -> None:
    (tmp_path / "train.py").write_text(PROGRAMS["argparse parsed twice"])
    words = [sys.executable, "-m", "runlore", "run", "train.py", "--lr", "0.5"]
    subprocess.run(words, cwd=tmp_path, env={**os.environ, **setting}, check=True, capture_output=True)
    (found,) = store.runs()
    assert found.params == ({"config": "from-a-file", "lr": 0.5} if is_there else {})


def test_arguments_go_into_an_open_run_where_they_are_switched_on(store: Store, python: Callable[..., Process]) -> None:
    """By the switch, in any order of the imports; it is restored, and what a library parses does not count."""
    printed = python(
        """
        import runlore
        on = runlore.autolog("argparse")
        import argparse
        ours = argparse.ArgumentParser.parse_known_args
        runlore.autolog("argparse")
        def parse(*words):
            parser = argparse.ArgumentParser()
            parser.add_argument("--lr", type=float)
            parser.add_subparsers().add_parser("train").add_argument("--depth", type=int)
            return parser.parse_args(words)
        parse("--lr", "3")
        with runlore.start_run():
            parse("--lr", "0.5", "train", "--depth", "2")
        on.disable()
        with runlore.start_run():
            parse("--lr", "0.25")
        print(ours.__wrapped__ is argparse.ArgumentParser.parse_known_args)
        """
    ).succeed()
    assert printed == "True\n"
    assert [found.params for found in store.runs()] in ([{}, {"lr": 0.5, "depth": 2}], [{"lr": 0.5, "depth": 2}, {}])


@pytest.mark.stress
def test_each_job_of_a_sweep_has_its_configuration(store: Store, tmp_path: Path) -> None:
    """One tree: a training for each job, below the program, which names the settings of all."""
    pytest.importorskip("hydra")
    (tmp_path / "config.yaml").write_text("lr: 0.1\nmodel:\n  width: 4\n")
    (tmp_path / "train.py").write_text("""
import hydra
from sklearn.datasets import load_iris
from sklearn.linear_model import SGDClassifier
@hydra.main(version_base=None, config_path=".", config_name="config")
def train(cfg):
    SGDClassifier(alpha=cfg.lr, max_iter=cfg.model.width, tol=None).fit(*load_iris(return_X_y=True))
train()
""")
    words = [sys.executable, "-m", "runlore", "run", "train.py", "-m", "lr=1,2", "model.width=5"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (top,) = store.runs("parent is None")
    wanted = {"job0.lr": 1, "job0.model.width": 5, "job1.lr": 2, "job1.model.width": 5}
    assert {key: top.params[key] for key in wanted} == wanted
    folders = [Path(str(top.params[f"hydra.job{job}.output_dir"])) for job in range(2)]
    assert [(folder / ".hydra" / "config.yaml").is_file() for folder in folders] == [True, True]
    jobs = sorted(top.children, key=lambda job: job.started)
    assert [(job.params["alpha"], job.params["max_iter"]) for job in jobs] == [(1, 5), (2, 5)]
    assert len(store.runs()) == 3
