"""Find the places where a script asks for input at a terminal, as far as its source tells."""

import ast
from collections.abc import Iterator
from pathlib import Path

ASKING = frozenset(
    "input breakpoint getpass.getpass pdb.set_trace ipdb.set_trace IPython.embed click.prompt click.confirm "
    "sys.stdin.read sys.stdin.readline sys.stdin.readlines".split()
)


def find_prompts(script: Path, root: Path) -> Iterator[str]:
    """Yield each call, as "file:line: name()", that asks for input in a script or in a module of `root` it imports."""
    waiting, seen = [script], set()
    while waiting:
        path = waiting.pop().resolve()
        if path in seen or not path.is_relative_to(root.resolve()) or not path.is_file():
            continue
        seen.add(path)
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError, RecursionError, MemoryError, OSError):
            continue  # the script itself will fail with it
        names = _bindings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = _dotted(node.func)
                head, dot, rest = called.partition(".")
                called = f"{names.get(head, head)}{dot}{rest}"
                if called in ASKING:
                    yield f"{path.relative_to(root.resolve())}:{node.lineno}: {called}()"
            elif isinstance(node, ast.Import | ast.ImportFrom):
                waiting += _modules(node, path, script.parent, root)


def _bindings(tree: ast.Module) -> dict[str, str]:
    """Map the names that a module imports to what they mean, and those it defines itself to nothing in `ASKING`."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found[node.name] = f"{node.name} of its own"
    return found


def _dotted(node: ast.expr) -> str:
    """Return an expression such as `a.b.c` as text; empty if it is of another form."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def _modules(node: ast.Import | ast.ImportFrom, path: Path, *folders: Path) -> Iterator[Path]:
    """Yield the paths at which the modules of an import statement may lie."""
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
