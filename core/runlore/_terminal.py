"""Where a script would ask somebody at a terminal, as far as its source tells."""

import ast
from collections.abc import Iterator
from pathlib import Path

ASKING = frozenset("input breakpoint getpass.getpass getpass pdb.set_trace ipdb.set_trace IPython.embed".split())


def asking(script: Path, root: Path) -> Iterator[str]:
    """The places, as file:line, where a script or a module of `root` that it imports asks for an answer."""
    waiting, seen = [script], set()
    while waiting:
        path = waiting.pop().resolve()
        if path in seen or not path.is_relative_to(root.resolve()) or not path.is_file():
            continue
        seen.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, OSError):
            continue  # whoever runs it will meet the error
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ASKING:
                yield f"{path.relative_to(root.resolve())}:{node.lineno}: {ast.unparse(node.func)}()"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                waiting += _modules(node, path, script.parent, root)


def _modules(node: ast.Import | ast.ImportFrom, path: Path, *folders: Path) -> Iterator[Path]:
    """The files that an import may mean."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    else:
        base = node.module or ""
        names = [base, *(f"{base}.{alias.name}".strip(".") for alias in node.names)]
    level = node.level if isinstance(node, ast.ImportFrom) else 0
    starts = [path.parents[level - 1]] if 0 < level <= len(path.parents) else folders
    for name in names:
        for start in starts:
            place = start.joinpath(*name.split("."))
            yield place.with_name(f"{place.name}.py")
            yield place / "__init__.py"
