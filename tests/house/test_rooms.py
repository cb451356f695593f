"""The graph of imports: no circle anywhere, no arrow against the order of the rooms, no window into another file.

Unlike import-linter, this draws imports within functions and for types, too, and knows the order by the layers that
pyproject.toml names.
"""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
CORE = ROOT / "core" / "runlore"
PUBLIC = {"runlore", "runlore.errors", "runlore.guest", "runlore.hookspecs"}  # what integrations may import
Graph = Mapping[str, set[str]]


@cache
def sources() -> dict[str, Path]:
    """Every module of the core and the integrations, by name."""
    found = {}
    for folder in (ROOT / "core", ROOT / "integrations"):
        for path in sorted(folder.rglob("*.py")):
            name = ".".join(path.relative_to(folder).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


@cache
def arrows() -> dict[str, set[str]]:
    """What each module imports of ours, wherever in the file the import stands."""
    return {name: set(_imported(path, name)) - {name} for name, path in sources().items()}


def _imported(path: Path, importer: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{importer}, line {node.lineno}: write the whole name"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield from [whole] if whole in sources() else [node.module] if node.module in sources() else []
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in sources())


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected parts of more than one node (Tarjan 1972)."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        order[node] = low[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], order[other])
        if low[node] == order[node]:
            part = stack[stack.index(node) :]
            del stack[stack.index(node) :]
            if len(part) > 1:
                found.append(sorted(part))

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def room(module: str) -> str:
    """The package of a module of the core, or the module where it lies beside the packages."""
    parts = module.split(".")
    return parts[1] if parts[0] == "runlore" and len(parts) > 1 else parts[0]


def ranks() -> dict[str, int]:
    """How high each room lies, by the layers in pyproject.toml."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return {name: -place for place, layer in enumerate(layers) for name in layer.split(" : ")}


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert len(arrows()) > 100
    assert circles(arrows()) == []


def test_a_circle_would_be_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_rooms_import_only_from_rooms_below_them() -> None:
    floors = ranks()
    inside = [
        (source, target)
        for source, targets in arrows().items()
        for target in targets
        if source.startswith("runlore.") and target.startswith("runlore.") and room(source) != room(target)
    ]
    assert len(inside) > 200
    assert [pair for pair in inside if floors[room(pair[0])] <= floors[room(pair[1])]] == []


def test_every_room_is_on_a_floor_and_holds_no_more_than_a_head() -> None:
    rooms = {path.name if path.is_dir() else path.stem for path in CORE.iterdir() if path.suffix in ("", ".py")}
    assert rooms - {"__init__", "__pycache__", "py.typed"} == set(ranks())
    for folder in {path.parent for path in CORE.rglob("*.py")} - {CORE}:
        assert len(list(folder.glob("*.py"))) <= 17, folder


def test_modules_in_a_room_bear_no_underscore() -> None:
    inside = [path for path in CORE.rglob("*.py") if path.parent != CORE]
    assert [path for path in inside if re.match("_[a-z]", path.name)] == []


def test_integrations_import_the_public_api_only() -> None:
    asked = {
        (name, target)
        for name, targets in arrows().items()
        for target in targets
        if not name.startswith("runlore.") and room(target) != room(name) and name != "runlore"
    }
    assert asked
    assert [pair for pair in sorted(asked) if not _is_public(pair[1])] == []


def _is_public(module: str) -> bool:
    return module in PUBLIC or module.startswith("runlore.guest.")


FOREIGN_PRIVATE = {"sys._getframe", "os._exit"}  # documented in Python all the same
FRAMEWORK_DOORS = {"integrations/runlore_lightning/_framework.py"}  # each private name of the framework with its reason


def test_no_private_attribute_is_touched_from_another_file() -> None:
    windows = []
    for path in sources().values():
        tree = ast.parse(path.read_text())
        own = set(_defined(tree))
        windows += [
            f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute)
            and re.match("_[a-z]", node.attr)
            and node.attr not in own
            and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
            and ast.unparse(node) not in FOREIGN_PRIVATE
            and str(path.relative_to(ROOT)) not in FRAMEWORK_DOORS
        ]
    assert windows == []


def _defined(tree: ast.Module) -> Iterator[str]:
    """The names that a file gives to attributes, methods and slots of its own classes, and to its own globals."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
