"""Programs as people write them, run bare and under `runlore run`: nothing differs but the record, which is whole.

They lie in `corpus`. A row of `ROWS` says how one is called and what its record holds, by the columns of `READ`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from runlore import Store
from runlore.store.runs import RecordedRun

CORPUS = Path(__file__).parent / "corpus"
PYTHON = str(Path(sys.executable).parent)
IN_PYTHON = frozenset({"python", "os", "hardware", "packages"})  # sections of the environment
LIMIT_S = 300
EXECUTED = ["python", "-m", "runlore.programs.notebook"]


class Tree(NamedTuple):
    """What a program has left: the run of it, and those below."""

    top: RecordedRun
    below: list[RecordedRun]


def trainings(tree: Tree) -> int:
    """How many trainings there are; one alone is the program's own run."""
    return len(tree.below) or int("integration" in tree.top.tags)


def candidates(tree: Tree) -> int:
    """How many runs there are below those."""
    return sum(len(run.children) for run in tree.below or [tree.top])


def params(tree: Tree) -> dict[str, Any]:
    """The params that somebody passed, of the program's run."""
    return {key: value for key, value in tree.top.params.items() if key not in tree.top.captured}


def metrics(tree: Tree) -> set[str]:
    """The metrics of the tree, but for those of the machine."""
    return {key for run in (tree.top, *tree.below) for key in run.metrics if not key.startswith("system/")}


def code(tree: Tree) -> set[str]:
    """The files of code that are kept."""
    kept = [item for item in tree.top.artifacts if item.kind == "code"]
    return {name for item in kept for name in ([member.path for member in item.members] or [item.name])}


def seeds(tree: Tree) -> dict[str, Any]:
    """The seeds that somebody set."""
    known = tree.top.environment.get("seeds", {})
    return {key: value for key, value in known.items() if key.endswith("_seed") and key != "hash_seed"}


def status(tree: Tree) -> str:
    """How it ended, with the type of what ended it."""
    return " ".join([tree.top.status, *([str(tree.top.error["type"])] if tree.top.error else [])])


def missing(tree: Tree) -> set[str]:
    """What could not be recorded."""
    return {item["what"] for item in tree.top.missing}


# The columns. What a row does not say is as `USUAL` says.
READ: Mapping[str, Callable[[Tree], Any]] = {
    "trainings": trainings, "candidates": candidates, "params": params, "metrics": metrics, "code": code,
    "seeds": seeds, "status": status, "missing": missing,
}  # fmt: skip
USUAL: Mapping[str, Any] = {
    "trainings": 0, "candidates": 0, "params": {}, "metrics": set(), "seeds": {}, "status": "finished",
    "missing": set(),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """A program: how it is called, its exit status, what it reads, and what is on record of it by the columns.

    All that it prints is on record, unless `output` says which lines are. A column that is None is not looked at.
    """

    called: str
    exits: int = 0
    reads: bytes = b""
    output: set[str] | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)


def row(called: str, exits: int = 0, reads: bytes = b"", output: set[str] | None = None, **columns: Any) -> Row:
    own = {"code": {called.split()[0]}}
    return Row(called, exits, reads, output, {**USUAL, **own, **columns})


LINE = {"lr": 0.02, "epochs": 5, "out": "results", "verbose": False}
SIZE = "False utf-8 False os.terminal_size(columns=80, lines=24)"
ISOLATED = {"isolated.py"}
FITTED = {"fit_seconds", "train_score"}
FOLDS = {
    *(f"split_{what}" for what in ("fit_time", "score_time", "test_score")), "mean_test_score", "std_test_score"
}  # fmt: skip
ALL_SEEDS = ("torch_seed", "python_seed", "numpy_seed")
ROWS: Mapping[str, Row] = {
    "argparse and CSV": row("settings_csv.py --lr 0.02", params=LINE, seeds={"python_seed": 42}),
    "sub-commands": row("sub_commands.py train --depth 5", params={"command": "train", "depth": 5, "seed": 1}),
    "a sub-command with defaults": row(
        "sub_commands.py --seed 3 evaluate table.csv", params={"command": "evaluate", "metrics": "table.csv", "seed": 3}
    ),
    "a wrong option": row("wrong_option.py", 2, status="failed ProgramFailed"),
    "an error of argparse's that is caught": row("wrong_option.py --epochs 3", params={"epochs": 3}),
    "sys.exit in the middle": row("exits_in_the_middle.py", 1, status="failed ProgramFailed"),
    "os.chdir": row("changes_folder.py"),
    "star imports and globals": row("star_imports/main.py", code={"main.py", "config.py", "layers.py"}),
    "settings by exec": row("python configurator/train.py small.py --learning_rate=0.1", code={"train.py"}),
    "an exception with its cause": row("raises.py", 1, status="failed RuntimeError"),
    "a group of exceptions": row("raises_group.py", 1, status="failed ExceptionGroup"),
    "a syntax error": row("python bad_syntax", 1, code={"bad_syntax"}, status="failed SyntaxError"),
    "a missing module": row("missing_module.py", 1, status="failed ModuleNotFoundError"),
    "killed": row("killed.py SIGKILL", -9, status="failed ProgramFailed"),
    "terminated": row("killed.py SIGTERM", -15, status="interrupted ProgramFailed"),
    "Ctrl-C": row("interrupted.py", -2, status="interrupted KeyboardInterrupt"),
    "binary output": row("binary_output.py"),
    "much output": row("prints_a_lot.py"),
    "closes its output": row("closes_output.py", 4, status="failed ProgramFailed"),
    "reads stdin": row("reads_stdin.py", reads=b"0.5\n1 2 3\n4"),
    "colours and a bar": row(
        "colours.py", output={"epoch 0 done", "epoch 1 done", SIZE, *(f"Epoch {n}: 100%|██████████|" for n in (0, 1))}
    ),
    "tqdm": row("bars.py", output={"epochs: 100%|██████████| 3/3", "total 30"}),
    "a daemon": row("daemon.py"),
    "forks": row("forks.py"),
    "pools": row("pool.py"),
    "threads, one fails": row("threads.py"),
    "a script that calls another": row(
        "sweep.py", 1, code={"sweep.py", "worker.py"}, params={"lr": -1}, status="failed ProgramFailed"
    ),
    "a shell script": row(
        "./job.sh",
        3,
        code={"job.sh", "settings_csv.py"},
        params={**LINE, "lr": 0.2, "epochs": 2, "out": "out_0.2"},
        status="failed ProgramFailed",
    ),
    "make": row("make train", code={"settings_csv.py"}, params={**LINE, "lr": 0.05, "epochs": 2, "out": "made"}),
    "a module of a package": row(
        "-m package.pkg.train --x 1", code={f"package/pkg/{name}.py" for name in ("__init__", "model", "train")}
    ),
    "a folder": row("folder --x", code={"__main__.py", "part.py"}),
    "an executable script": row("./train --fast", code={"train"}),
    "warnings": row("warns.py"),
    "warnings of the development mode": row("python -X dev -W always warns.py", code={"warns.py"}),
    "functions at exit": row("at_exit.py"),
    "pickles of its own classes": row("pickles.py"),
    "an event loop": row("runs_a_loop.py", 1, status="failed TimeoutError"),
    "looks at itself": row("looks_around.py --flag"),
    "python -I": row("python -I isolated.py", code=ISOLATED),
    "python -OO -u": row("python -OO -u isolated.py a b", code=ISOLATED),
    "python -S": row("python -S isolated.py", code=ISOLATED),
    "without environment": row("env -i /usr/bin/python3 isolated.py", code=set()),
    "below other programs": row("timeout 60 env LR=1 nice python isolated.py", code=ISOLATED),
    "from stdin": row("python - a b", reads=b"print(__name__)", code=set(), missing={"the script"}),
    "executes itself again": row("starts_again.py"),
    "tees its output": row("tee.py"),
    "seeds": row("seeds.py", seeds={"python_seed": 7}),
    "removes its folder": row("leaves_its_folder.py"),
    "changes Python's settings": row("deep.py"),
    "numpy": row("numpy_state.py", seeds={"numpy_seed": 5}, params={"RATE": 0.1}),
    "pandas": row("table.py"),
    "a fit and joblib": row(
        "sklearn_one.py", trainings=1, params={"C": 0.5}, metrics={*FITTED, "n_iter", "test_score"}
    ),
}
STRESS_ROWS: Mapping[str, Row] = {
    "constants": row(
        "constants/train.py rate=0.2", trainings=2, metrics={*FITTED, "n_iter"}, code={"train.py", "config.py"},
        params={
            "rate": 0.2, "n_samples": 100, "sizes": [3, 2], "mode": "fast", "Model.C": 2.0, "Model.max_iter": 50,
            "config.LEVEL": 0.5, "config.PATHS.out": "scores.txt", "config.PATHS.tables": ["train", "test"],
        },
    ),
    "fits, folds and a search": row(
        "sklearn_many.py", trainings=5, candidates=6, metrics={*FITTED, "n_iter", "best_score", *FOLDS}
    ),
    "matplotlib": row("figure.py"),
    "a torch loop": row(
        "torch_loop.py --epochs 1", seeds={"torch_seed": 1}, trainings=1, metrics={"loss", "lr"}, params=None,
    ),
    "torchrun": row(
        "env OMP_NUM_THREADS=1 torchrun --nproc-per-node 2 torch_ranks.py", code={"torch_ranks.py"},
        seeds={"torch_seed": 0}, trainings=1, metrics={"loss", "lr"}, params=None,
    ),
    "keras": row(
        "keras_fit.py", trainings=1, params=None, seeds={"torch_seed": 1},
        metrics={"accuracy", "learning_rate", "loss", "val_accuracy", "val_loss"},
    ),
    "lightning": row(
        "lightning_fit.py", trainings=1, metrics={"lr-SGD", "train_loss"}, seeds=dict.fromkeys(ALL_SEEDS, 3),
        params=None,
    ),
    "transformers": row("hf_trainer.py", trainings=1, params=None, metrics=None, seeds=None),
    "optuna": row("optuna_study.py", trainings=1, candidates=4, metrics={"value"}),
    "accelerate": row(
        "accelerated.py", seeds=dict.fromkeys(ALL_SEEDS, 2), trainings=1, metrics={"loss", "lr"}, params=None,
    ),
    "a notebook": row("train.ipynb", trainings=1, metrics=FITTED, code={"train.ipynb", "cells.py"}),
}  # fmt: skip


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The files that a folder holds: mode and content, but for byte code."""
    places = [path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts]
    return {
        str(path.relative_to(folder)): (path.lstat().st_mode, path.read_bytes() if path.is_file() else b"")
        for path in places
    }


class End(NamedTuple):
    """All that can be seen of a program."""

    status: int
    stdout: bytes
    stderr: bytes
    files: dict[str, tuple[int, bytes]]


def run(words: list[str], work: Path, reads: bytes) -> End:
    """Run a program in a fresh copy of the corpus."""
    shutil.copytree(CORPUS, work)
    environment = {**os.environ, "PATH": f"{PYTHON}{os.pathsep}{os.environ['PATH']}", "RUNLORE_QUIET": "1"}
    done = subprocess.run(
        words, cwd=work, env=environment, input=reads, capture_output=True, check=False, timeout=LIMIT_S
    )
    end = End(done.returncode, done.stdout, done.stderr, files_of(work))
    shutil.rmtree(work)
    return end


def words_of(called: str) -> list[str]:
    """What a shell would execute for what `runlore run` is given."""
    words = called.split()
    name = words[0]
    if name.endswith(".ipynb"):
        return [*EXECUTED, *words]
    return ["python", *words] if name.endswith(".py") or name in ("-m", "folder") else words


def check(row: Row, work: Path, store: Store) -> None:
    bare = run(words_of(row.called), work, row.reads)
    recorded = run([sys.executable, "-m", "runlore", "run", *row.called.split()], work, row.reads)
    assert bare.status == row.exits, bare.stderr.decode(errors="replace")
    assert recorded.stderr == bare.stderr
    assert recorded.stdout == bare.stdout
    assert recorded.status == bare.status
    assert recorded.files == bare.files
    (top,) = store.runs("parent is None")
    tree = Tree(top, list(store.runs(f"parent == '{top.id}'")))
    columns = {name: value for name, value in row.columns.items() if value is not None}
    assert {name: READ[name](tree) for name in columns} == columns
    printed = (bare.stdout + bare.stderr).decode(errors="replace").splitlines()
    kept = [item.read_bytes().decode() for item in top.artifacts if item.name == "output.log"]
    assert set("".join(kept).splitlines()) == (set(printed) if row.output is None else row.output)
    assert top.duration is not None
    assert top.command["argv"] == row.called.removeprefix("-m ").split()
    assert top.environment.keys() >= IN_PYTHON


@pytest.mark.parametrize("name", ROWS)
def test_a_program_is_recorded_and_does_not_notice(store: Store, tmp_path: Path, name: str) -> None:
    check(ROWS[name], tmp_path / "work", store)


@pytest.mark.stress
@pytest.mark.parametrize("name", STRESS_ROWS)
def test_a_training_is_recorded_and_does_not_notice(store: Store, tmp_path: Path, name: str) -> None:
    check(STRESS_ROWS[name], tmp_path / "work", store)
