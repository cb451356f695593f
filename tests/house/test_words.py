"""Docstrings say what a thing is or does, in the way that Python's own tools expect.

A function or method begins with a verb in the imperative ("Return", "Write"); a class, a module and a property with a
noun phrase. A test can't parse English: it knows the beginnings that are wrong.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
SOURCES = sorted(path for folder in ("core", "integrations") for path in (ROOT / folder).rglob("*.py"))
Function = ast.FunctionDef | ast.AsyncFunctionDef

QUESTION = re.compile(r"(What|Whether|Which|How|Where|When|Why|Who)\b")
NOUN_PHRASE = re.compile(
    r"(The|A|An|This|These|That|Those|It|Its|There|All|Any|Both|Each|Every|Everything|Nothing|None|No|One|Some|Of|As|In|At|"
    r"By|For|From|To|With|Without|Like|Likewise|On|Only|Also|True|False)\b"
)
NOT_IMPERATIVE = re.compile(r"\w+([^s]s|ing)\b")  # "Returns", "Names of …", "Writing"
VERBS_OF_THIS_FORM = {"Bring", "Focus", "Ping", "String"}


@cache
def docstrings(path: Path) -> list[tuple[bool, str, str]]:
    """Every docstring of a file: whether it is of something that is called, its place and text."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            text = ast.get_docstring(node)
            if text:
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)} {getattr(node, 'name', '')}"
                found.append((is_callable(node), place, text))
    return found


def is_callable(node: ast.AST) -> bool:
    """Return True for functions and methods that are called: no properties, and no tests of a contract."""
    if not isinstance(node, Function) or node.name.startswith("test_"):
        return False
    decorators = [ast.unparse(item) for item in node.decorator_list]
    return not any(re.search(r"property|\.setter|fixture", item) for item in decorators)


def begins_wrong(text: str) -> bool:
    """Return True if a function's docstring can't begin with a verb in the imperative."""
    first = re.match(r"[\w'-]+", text)
    if first is None:
        return True
    odd = NOT_IMPERATIVE.fullmatch(first[0]) is not None and first[0] not in VERBS_OF_THIS_FORM
    return odd or NOUN_PHRASE.match(text) is not None or QUESTION.match(text) is not None


def test_no_docstring_begins_with_a_question() -> None:
    found = [
        f"{place}: {text.splitlines()[0]}"
        for path in SOURCES
        for _, place, text in docstrings(path)
        if QUESTION.match(text)
    ]
    assert found == []


def test_functions_begin_with_a_verb() -> None:
    found = [
        f"{place}: {text.splitlines()[0]}"
        for path in SOURCES
        for called, place, text in docstrings(path)
        if called and begins_wrong(text)
    ]
    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "The runs",
        "A run",
        "Returns a run",
        "Names of runs",
        "Reading a run",
        "Whether it is",
        "Every run",
        '"a" or "b"',
    ],
)
def test_other_beginnings_are_found(text: str) -> None:
    assert begins_wrong(text)


@pytest.mark.parametrize("text", ["Return the runs", "Pass it on", "Bring it back", "Address a run", "Guess"])
def test_verbs_are_left_alone(text: str) -> None:
    assert not begins_wrong(text)
