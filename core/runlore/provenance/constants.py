"""The constants of a script: what its top level binds to plain values and to nothing else, however often."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_NAMES = 200
MAX_TEXT = 200  # characters of a value
MAX_ITEMS = 20  # of a list
PLAIN = (bool, int, float, str, type(None))
LOOPS = (ast.For, ast.AsyncFor, ast.While)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def constants_of(source: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constants of a module by name, each with its value in the module that was executed.

    A name counts that is only ever bound by `name = value` outside of loops and functions, where the value is written
    as numbers, texts, or lists and dicts of them; and one within a class that holds nothing else: `Config.lr`. Names
    that begin with `_` are left out.

    Raises:
        SyntaxError: the source is none of Python's.
    """
    found = _named(ast.parse(source).body)
    constants: dict[str, Any] = {}
    for name, parts in found.items():
        if len(constants) >= MAX_NAMES or name not in values:
            continue
        if parts is None:
            constants |= _shown(name, values[name])
        elif isinstance(values[name], type):
            attributes = vars(values[name])
            constants[name] = {
                key: value for part in parts for key, value in _shown(part, attributes.get(part)).items()
            }
    return {name: value for name, value in constants.items() if value != {}}


def _named(body: Sequence[ast.stmt]) -> dict[str, list[str] | None]:
    """Return the names of constants, and of classes of constants with those of their parts."""
    found: dict[str, list[str] | None] = {}
    unsure: set[str] = set()
    for name, statement in _bindings(body):
        if isinstance(statement, ast.ClassDef) and not statement.decorator_list and not statement.bases:
            parts = {} if name in found else _named(statement.body)
            if parts and len(parts) == len([part for part in statement.body if not _is_text(part)]):
                found[name] = list(parts)
                continue
        if statement is None or isinstance(statement, ast.ClassDef) or found.setdefault(name, None) is not None:
            unsure.add(name)
    return {name: parts for name, parts in found.items() if name not in unsure and not name.startswith("_")}


def _bindings(body: Sequence[ast.stmt], *, in_loop: bool = False) -> Iterator[tuple[str, ast.stmt | None]]:
    """Yield each name that is bound at this level, with the statement if it is a constant's or a class."""
    for statement in body:
        if isinstance(statement, ast.ClassDef):
            yield statement.name, None if in_loop else statement
            yield from ((name, None) for name in _globals(statement))
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
            yield statement.name, None
            yield from ((name, None) for name in _globals(statement))
        elif (target := _constant(statement)) is not None:
            yield target, None if in_loop else statement
        elif not (isinstance(statement, ast.AnnAssign) and statement.value is None):
            yield from ((name, None) for part in _own(statement) for name in _bound(part))
            for part in _blocks(statement):
                yield from _bindings(part, in_loop=in_loop or isinstance(statement, LOOPS))


def _constant(statement: ast.stmt) -> str | None:
    """Return the name that a statement binds to a plain value; None for any other statement."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target = statement.target
    else:
        return None
    assert statement.value is not None
    return target.id if isinstance(target, ast.Name) and _is_plain(statement.value) else None


def _is_plain(value: ast.expr | None) -> bool:
    match value:
        case ast.Constant():
            return isinstance(value.value, PLAIN)
        case ast.UnaryOp():
            return _is_plain(value.operand)
        case ast.BinOp():
            return _is_plain(value.left) and _is_plain(value.right)
        case ast.Tuple() | ast.List():
            return bool(value.elts) and all(map(_is_plain, value.elts))
        case ast.Dict():
            return bool(value.keys) and all(map(_is_plain, [*value.keys, *value.values]))
    return False


def _blocks(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a statement such as `if`, `with`, `for`, `try` and `match`."""
    for name in ("body", "orelse", "finalbody"):
        yield getattr(statement, name, [])
    for part in (*getattr(statement, "handlers", []), *getattr(statement, "cases", [])):
        yield part.body


def _own(statement: ast.stmt) -> Iterator[ast.AST]:
    """Yield the parts of a statement that are no statements."""
    waiting = list(ast.iter_child_nodes(statement))
    if not any(isinstance(part, ast.stmt) for part in waiting):
        yield statement
        return
    for part in waiting:
        if isinstance(part, ast.excepthandler | ast.match_case):
            yield from (item for item in ast.iter_child_nodes(part) if not isinstance(item, ast.stmt))
        elif not isinstance(part, ast.stmt):
            yield part


def _bound(part: ast.AST) -> Iterator[str]:
    """Yield the names that an expression or a simple statement binds; what a function of its own binds is its own."""
    if isinstance(part, ast.Name) and not isinstance(part.ctx, ast.Load):
        yield part.id
    elif isinstance(part, ast.alias):
        yield (part.asname or part.name).partition(".")[0]
    elif isinstance(part, ast.MatchAs | ast.MatchStar) and part.name is not None:
        yield part.name
    for item in () if isinstance(part, (*SCOPES, *COMPREHENSIONS)) else ast.iter_child_nodes(part):
        yield from _bound(item)


def _globals(scope: ast.AST) -> Iterator[str]:
    """Yield the names of the module's that a function may bind."""
    for part in ast.walk(scope):
        if isinstance(part, ast.Global):
            yield from part.names


def _is_text(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Expr)


def _shown(name: str, value: Any) -> dict[str, Any]:
    """Return a value by its name, if it is still such a one and not large; of a dict the parts that are."""
    if isinstance(value, dict):
        parts = {
            key: part for key, item in list(value.items())[:MAX_NAMES] for key, part in _shown(str(key), item).items()
        }
        return {name: parts} if parts else {}
    if isinstance(value, list | tuple):
        return {name: list(value)} if len(value) <= MAX_ITEMS and all(map(_is_small, value)) else {}
    return {name: value} if _is_small(value) else {}


def _is_small(value: Any) -> bool:
    return isinstance(value, PLAIN) and not (isinstance(value, str) and len(value) > MAX_TEXT)
