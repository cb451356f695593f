"""The same script bare, with runlore, and with other trackers: what each adds in CPU, and what it has on record.

`python -m tests.bench.trackers --trackers SITE_PACKAGES [--rounds 3] [xgboost …]` prints a table for each script. The
trackers lie in a folder of their own, installed there by `pip install mlflow wandb trackio optuna-integration`: it is
appended to the path, so that everything that trains is what the other processes have. Nothing goes to a network.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.tracked_scripts import SCRIPTS, TOOLS, Script

READERS = Path(__file__).with_name("tracker_records.py")
COLUMNS = ("runs", "params", "points", "best", "importances", "model", "data", "stopped")
QUIET = {
    "WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DISABLE_CODE": "true", "RUNLORE_QUIET": "1",
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
    "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING": "false", "DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0",
}  # fmt: skip


def environment(folder: Path) -> dict[str, str]:
    """Return variables that let each tracker write below a folder."""
    places = {
        "RUNLORE_STORE": folder / "runlore", "WANDB_DIR": folder, "TRACKIO_DIR": folder / "trackio",
        "WANDB_CACHE_DIR": folder / "cache", "WANDB_CONFIG_DIR": folder / "config", "HF_HOME": folder / "hub",
    }  # fmt: skip
    given = {**os.environ, **QUIET, **{name: str(place) for name, place in places.items()}}
    return {**given, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}


def program(script: Script, tool: str, trackers: Path) -> str:
    """Return a script as Python gets it; what trains is the same for every tool."""
    before, given, after = script.ways[tool]
    lines = [f"import sys; sys.path.append({str(trackers)!r})", script.imports, before, script.train, after]
    return "\n".join(lines).replace("GIVEN", given)


def cpu(code: str, folder: Path, python: Path) -> float:
    """Run a script to its end; return its CPU and that of the processes that it waits for, in seconds."""
    before = os.times()
    done = subprocess.run(
        [python, "-c", code], env=environment(folder), cwd=folder, capture_output=True, text=True, check=False
    )
    after = os.times()
    if done.returncode:
        raise RuntimeError(f"{code}\n{done.stderr[-4000:]}")
    return (after.children_user - before.children_user) + (after.children_system - before.children_system)


def records(tool: str, folder: Path, python: Path, trackers: Path) -> dict[str, Any]:
    """Return what a tool has on record below a folder, read by its own files."""
    done = subprocess.run(
        [python, READERS, tool, str(folder), str(trackers)], env=environment(folder), capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(done.stderr[-4000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(script: Script, options: argparse.Namespace) -> tuple[dict[str, list[float]], dict[str, dict[str, Any]]]:
    """Return the CPU of each tool by round, interleaved, and what each had on record after the last one."""
    taken: dict[str, list[float]] = {tool: [] for tool in script.ways}
    kept: dict[str, dict[str, Any]] = {}
    for _ in range(options.rounds):
        for tool in script.ways:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                python = options.others if script.is_other else Path(sys.executable)
                if tool == "mlflow":  # its tables are made once for every store
                    make = "import mlflow; mlflow.set_experiment('bench')"
                    cpu(f"import sys; sys.path.append({str(options.trackers)!r}); {make}", folder, python)
                taken[tool].append(cpu(program(script, tool, options.trackers), folder, python))
                if tool != "bare":
                    kept[tool] = records(tool, folder, python, options.trackers)
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return taken, kept


def lines(name: str, script: Script, taken: dict[str, list[float]], kept: dict[str, dict[str, Any]]) -> list[str]:
    """Return a table of one script."""
    medians = {tool: statistics.median(values) for tool, values in taken.items()}
    bare = medians["bare"]
    found = [f"{name}: {script.told}", "", f"| | {' | '.join(TOOLS)} |", f"|---|{'---|' * len(TOOLS)}"]
    for column in COLUMNS:
        cells = [str(kept[tool].get(column, "")) if tool in kept else "–" for tool in TOOLS]
        found.append(f"| {column} | {' | '.join(cells)} |")
    added = [f"{medians[tool] - bare:.2f} s, × {medians[tool] / bare:.2f}" if tool in kept else "–" for tool in TOOLS]
    return [*found, f"| CPU added to {bare:.2f} s | {' | '.join(added)} |", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="names of scripts")
    parser.add_argument("--trackers", type=Path, required=True, help="the site-packages of the other trackers")
    parser.add_argument(
        "--others", type=Path, default=Path(".venv-others/bin/python"), help="a Python with Ray and Spark"
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.others, options.trackers = options.others.absolute(), options.trackers.absolute()
    for name, script in SCRIPTS.items():
        if not options.only or name in options.only:
            print("\n".join(lines(name, script, *measure(script, options))), flush=True)


if __name__ == "__main__":
    main()
