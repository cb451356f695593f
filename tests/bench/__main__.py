"""Runs the benchmarks, interleaved, and prints medians."""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import (  # noqa: F401  # register their figures
    artifact_figures,
    boosting_figures,
    capture_figures,
    lightning_figures,
    log_figures,
    program_figures,
    question_figures,
    script_figures,
    search_figures,
    torch_figures,
    trainer_figures,
    ui_figures,
)
from tests.bench.figures import FIGURES, Figure, World


def measure(figures: list[Figure], rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {figure.name: [] for figure in figures}
    for number in range(rounds):
        for figure in figures:
            with tempfile.TemporaryDirectory() as folder:
                found[figure.name].append(figure.measure(World(Path(folder), number)))
            print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="parts of the names of figures to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="where to write the figures")
    options = parser.parse_args()
    wanted = [figure for figure in FIGURES if not options.only or any(part in figure.name for part in options.only)]
    floors = {figure.beside for figure in wanted}
    began = time.time()
    found = measure([figure for figure in FIGURES if figure in wanted or figure.name in floors], options.rounds)
    medians = {name: statistics.median(values) for name, values in found.items()}
    rows = [row(figure, medians, found) for figure in wanted if figure.beside is not None]
    print("| figure | median | lowest | target | | floor | |\n|---|--:|--:|--:|---|--:|---|")
    print("\n".join(map(line, rows)))
    if options.json:
        head = {"python": platform.python_version(), "machine": platform.machine(), "rounds": options.rounds}
        options.json.write_text(json.dumps({**head, "took_s": time.time() - began, "figures": rows}, indent=1))


def row(figure: Figure, medians: dict[str, float], found: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "name": figure.name,
        "median": medians[figure.name],
        "lowest": min(found[figure.name]),
        "unit": figure.unit,
        "target": figure.target,
        "met": figure.target is None or medians[figure.name] <= figure.target,
        "floor": medians[figure.beside or ""],
        "floor_name": figure.beside,
    }


def line(row: dict[str, Any]) -> str:
    target = "" if row["target"] is None else f"≤ {row['target']:g} {row['unit']}"
    verdict = "" if row["target"] is None else "met" if row["met"] else "**missed**"
    return (
        f"| {row['name']} | {row['median']:.3g} {row['unit']} | {row['lowest']:.3g} | {target} | {verdict} "
        f"| {row['floor']:.3g} {row['unit']} | {row['floor_name']} |"
    )


if __name__ == "__main__":
    main()
