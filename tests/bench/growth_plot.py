"""Draws what `tests.bench.growth` has measured: `python -m tests.bench.growth_plot FOLDER docs/images/growth.svg`.

Prints the same as a table for docs/benchmarks.md.
"""

import argparse
import json
import math
from pathlib import Path
from xml.sax.saxutils import escape

Found = dict[str, dict[str, tuple[float, float]]]  # by question and number of runs: CPU seconds, MiB
WIDTH, HEIGHT, LEFT, TOP, PANEL, GAP = 920, 400, 70, 40, 260, 70
COLORS = "#4477aa #ee6677 #228833 #ccbb44 #66ccee #aa3377 #000000 #999933 #882255 #44aa99 #dd7700 #777777".split()
DASHES = ("", "6 3", "2 3")


def panel(found: Found, which: int, left: float, title: str, low: float, high: float) -> list[str]:
    """One plot with logarithmic axes: lines of time (0) or memory (1) over the number of runs."""
    counts = sorted({int(runs) for values in found.values() for runs in values})
    first, last = math.log10(counts[0]), math.log10(counts[-1])

    def x(runs: float) -> float:
        return left + PANEL * (math.log10(runs) - first) / ((last - first) or 1)

    def y(value: float) -> float:
        share = (math.log10(max(low, min(high, value))) - math.log10(low)) / (math.log10(high) - math.log10(low))
        return TOP + (HEIGHT - TOP - 50) * (1 - share)

    bottom = HEIGHT - 50
    out = [f'<text x="{left}" y="24" font-weight="bold">{title}</text>']
    out.append(f'<text x="{left + PANEL / 2:.0f}" y="{bottom + 38}" text-anchor="middle">runs in the store</text>')
    for runs in counts:
        out.append(f'<line x1="{x(runs):.0f}" y1="{TOP}" x2="{x(runs):.0f}" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x(runs):.0f}" y="{bottom + 18}" text-anchor="middle">{runs:,}</text>')
    mark = 10.0 ** math.ceil(math.log10(low))
    while mark <= high:
        out.append(f'<line x1="{left}" y1="{y(mark):.0f}" x2="{left + PANEL}" y2="{y(mark):.0f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y(mark) + 4:.0f}" text-anchor="end">{mark:,.10g}</text>')
        mark *= 10
    for place, (question, values) in enumerate(found.items()):
        factor = 1e3 if which == 0 else 1
        measured = sorted((int(runs), item[which] * factor) for runs, item in values.items())
        points = [f"{x(runs):.1f},{y(value):.1f}" for runs, value in measured]
        style = f'stroke="{COLORS[place % len(COLORS)]}" stroke-width="2" stroke-dasharray="{DASHES[place % 3]}"'
        out.append(
            f'<polyline points="{" ".join(points)}" fill="none" {style}><title>{escape(question)}</title></polyline>'
        )
    return out


def legend(found: Found, left: float) -> list[str]:
    """The names of the lines."""
    out = []
    for place, question in enumerate(found):
        y = TOP + 12 + place * 22
        style = f'stroke="{COLORS[place % len(COLORS)]}" stroke-width="2" stroke-dasharray="{DASHES[place % 3]}"'
        out.append(f'<line x1="{left}" y1="{y}" x2="{left + 30}" y2="{y}" {style}/>')
        out.append(f'<text x="{left + 38}" y="{y + 4}">{escape(question.replace("`", ""))}</text>')
    return out


def draw(found: Found) -> str:
    """The plots as SVG."""
    body = [
        *panel(found, 0, LEFT, "CPU, milliseconds", 0.1, 1e6),
        *panel(found, 1, LEFT + PANEL + GAP, "memory, MiB", 10, 1e3),
        *legend(found, LEFT + 2 * PANEL + GAP + 30),
    ]
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    return "\n".join([head, f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *body, "</svg>"]) + "\n"


def table(found: Found) -> str:
    """The same as a table."""
    counts = sorted({int(runs) for values in found.values() for runs in values})
    lines = ["| CPU, and memory of the process | " + " | ".join(f"{runs:,} runs" for runs in counts) + " |"]
    lines.append("|---|" + "--:|" * len(counts))
    for question, values in found.items():
        cells = [_cell(*values[str(runs)]) if str(runs) in values else "" for runs in counts]
        lines.append(f"| {question} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(seconds: float, memory: float) -> str:
    time = f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"
    return f"{time}, {memory:.0f} MiB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("picture", type=Path)
    options = parser.parse_args()
    found = json.loads((options.folder / "growth.json").read_text())
    options.picture.write_text(draw(found))
    print(table(found))


if __name__ == "__main__":
    main()
