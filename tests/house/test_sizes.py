"""Files, functions, classes and signatures stay small enough to be read at once.

Measured as in the code: a function without its docstring, a signature without `self` and `cls`. Functions that click
calls count like all others: a command with many options takes them as one object (`runlore.cli.options.options_as`).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PRODUCT = ("core", "integrations")
MAX_FILE_LINES = 420
MAX_ADAPTER_LINES = 250
MAX_FUNCTION_LINES = 45
MAX_METHODS = 20
MAX_PARAMETERS = 8
Function = ast.FunctionDef | ast.AsyncFunctionDef


def files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def definitions(*folders: str) -> Iterator[tuple[str, Function | ast.ClassDef]]:
    """Every function and class of the files, with its place."""
    for path in files(*folders):
        name = path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function | ast.ClassDef):
                yield f"{name}:{node.lineno} {node.name}", node


def lines_of(node: Function) -> int:
    """The lines of a function without its docstring and its decorators."""
    first = node.body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or first.lineno) - first.lineno + 1 if has_docstring else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def parameters_of(node: Function) -> int:
    """The number of parameters; `*args` and `**kwargs` are one each."""
    arguments = node.args
    names = [item.arg for item in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    bound = bool(names) and names[0] in ("self", "cls")
    return len(names) - bound + (arguments.vararg is not None) + (arguments.kwarg is not None)


def test_no_file_is_longer_than_a_head_can_hold() -> None:
    long = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files(*PRODUCT, "tests", "examples")}
    most = {name: MAX_ADAPTER_LINES if name.startswith("integrations/") else MAX_FILE_LINES for name in long}
    assert {name: count for name, count in long.items() if count > most[name]} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    everywhere = definitions(*PRODUCT, "tests", "examples")
    found = {place: lines_of(node) for place, node in everywhere if isinstance(node, Function)}
    assert {place: count for place, count in found.items() if count > MAX_FUNCTION_LINES} == {}


def test_no_class_has_too_many_methods() -> None:
    found = {
        place: sum(isinstance(item, Function) for item in node.body)
        for place, node in definitions(*PRODUCT)
        if isinstance(node, ast.ClassDef)
    }
    assert {place: count for place, count in found.items() if count > MAX_METHODS} == {}


def test_no_signature_has_too_many_parameters() -> None:
    found = {place: parameters_of(node) for place, node in definitions(*PRODUCT) if isinstance(node, Function)}
    assert {place: count for place, count in found.items() if count > MAX_PARAMETERS} == {}


def test_lines_and_parameters_are_counted() -> None:
    (function,) = ast.parse('def f(self, a, /, b, *c, d, **e):\n    """One.\n\n    Two.\n    """\n    return a\n').body
    assert isinstance(function, Function)
    assert (lines_of(function), parameters_of(function)) == (2, 5)
