"""Runs the benchmarks, interleaved, and prints medians."""

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

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
    chosen = [figure for figure in FIGURES if not options.only or any(part in figure.name for part in options.only)]
    began = time.time()
    found = measure(chosen, options.rounds)
    rows = []
    for figure in chosen:
        middle = statistics.median(found[figure.name])
        rows.append(
            {
                "name": figure.name,
                "median": middle,
                "lowest": min(found[figure.name]),
                "unit": figure.unit,
                "target": figure.target,
                "floor": figure.floor,
                "met": figure.target is None or middle <= figure.target,
            }
        )
    print(f"| figure | median | lowest | target | |\n|---|--:|--:|--:|---|\n{chr(10).join(map(line, rows))}")
    if options.json:
        head = {"python": platform.python_version(), "machine": platform.machine(), "rounds": options.rounds}
        options.json.write_text(json.dumps({**head, "took_s": time.time() - began, "figures": rows}, indent=1))


def line(row: dict[str, object]) -> str:
    target = "" if row["target"] is None else f"≤ {row['target']:g} {row['unit']}"
    verdict = "floor" if row["floor"] else "" if row["target"] is None else "met" if row["met"] else "**missed**"
    return f"| {row['name']} | {row['median']:.3g} {row['unit']} | {row['lowest']:.3g} | {target} | {verdict} |"


if __name__ == "__main__":
    main()
