"""The README's table of frameworks, from the tests that back its cells: `python -m tests.docs.table` writes it."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "README.md"
BEGIN = "<!-- generated from the tests that are marked `shows`: python -m tests.docs.table -->\n"
END = "<!-- end of the table -->\n"
FRAMEWORKS = {
    "sklearn": "scikit-learn", "lightning": "PyTorch Lightning", "keras": "Keras", "transformers": "transformers",
    "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "optuna": "Optuna",
    "ray": "Ray Tune and Train", "spark": "Spark", "torch": "plain PyTorch",
}  # fmt: skip
WHAT = (
    "params", "metrics", "checkpoints", "data", "early stopping", "resume as lineage", "search trees", "processes",
)  # fmt: skip


class UnknownCell(ValueError):
    """A mark names a framework or a column that the table does not have."""


def marks_in(source: str) -> Iterator[tuple[str, ...]]:
    """Yield the arguments of the marks `shows` of tests in a module: of functions, and of classes of contracts."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.startswith(("test_", "Test")):
            for found in node.decorator_list:
                if isinstance(found, ast.Call) and ast.unparse(found.func) == "pytest.mark.shows":
                    yield tuple(ast.literal_eval(argument) for argument in found.args)


def cells(sources: Iterator[str]) -> Counter[tuple[str, str]]:
    """Return how many tests back each cell.

    Raises:
        UnknownCell: a mark names what the table does not have.
    """
    found: Counter[tuple[str, str]] = Counter()
    for source in sources:
        for framework, *what in marks_in(source) if "mark.shows(" in source else ():
            for name in what:
                if framework not in FRAMEWORKS or name not in WHAT:
                    raise UnknownCell(f"shows({framework!r}, {name!r}): one of {list(FRAMEWORKS)}, one of {WHAT}")
                found[framework, name] += 1
    return found


def generated(found: Counter[tuple[str, str]]) -> str:
    rows = [["", *WHAT]]
    for framework, name in FRAMEWORKS.items():
        rows.append([f"[{name}](docs/{framework}.md)", *("✓" if found[framework, what] else "–" for what in WHAT)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "|---|" + ":-:|" * len(WHAT), *lines[1:]]) + "\n"


def written() -> str:
    """Return the table that the README has."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0]


def backed() -> Counter[Any]:
    """Return how many tests of this repository back each cell."""
    return cells(path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py")))


def main() -> None:
    head, mark, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(head + mark + generated(backed()) + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
