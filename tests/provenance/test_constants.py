"""The constants of a script: bound to plain values alone, at its top level, with the values that they have by then."""

from typing import Any

import pytest

from runlore.provenance.constants import constants_of


def found(source: str, **changed: Any) -> dict[str, Any]:
    values: dict[str, Any] = {"__name__": "script"}
    exec(source, values)  # noqa: S102  # as Python would
    return constants_of(source, values | changed)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("lr = 0.1", {"lr": 0.1}),
        ("epochs: int = 5 * 8; decay = -1e-3", {"epochs": 40, "decay": -1e-3}),
        ("name = 'a'\nresume = None\nfast = True", {"name": "a", "resume": None, "fast": True}),
        ("sizes = [64, 32]\nshape = (2, 3)", {"sizes": [64, 32], "shape": [2, 3]}),
        ("config = {'lr': 1, 'net': {'depth': 2}}", {"config": {"lr": 1, "net": {"depth": 2}}}),
        ("if True:\n    mode = 'a'\nelse:\n    mode = 'b'", {"mode": "a"}),
        ("try:\n    x = 1\nfinally:\n    y = 2\nwith open('/dev/null') as file:\n    z = 3", {"x": 1, "y": 2, "z": 3}),
        ("class Config:\n    'All of it.'\n    lr = 1\n    depth: int = 2", {"Config": {"lr": 1, "depth": 2}}),
        ("def f():\n    inner = 1\nkept = 2", {"kept": 2}),
        ("squares = [lr for lr in (1, 2)]\nlr = 3", {"lr": 3}),
    ],
)
def test_what_is_one(source: str, expected: dict[str, Any]) -> None:
    assert found(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "step = 0\nstep += 1",
        "best = 0.0\nfor i in range(3):\n    best = max(best, i)",
        "for i in range(3):\n    loss = 1",
        "count = 0\ndef f():\n    global count\n    count = 1",
        "x = 1\nx, y = 2, 3",
        "x = 1\nif (x := 2): pass",
        "x = 1\nimport os as x",
        "x = 1\ndef x(): pass",
        "x = 1\ntry:\n    1 / 0\nexcept ZeroDivisionError as x:\n    pass",
        "x = 1\nmatch [2]:\n    case [x]: pass",
        "x = 1\ndel x",
        "losses = []\nhistory = {}",
        "import os\nhome = os.sep",
        "_private = 1\n__version__ = '1'",
        "class Net:\n    depth = 1\n    def f(self): pass",
        "class Base: pass\nclass Net(Base):\n    depth = 1",
        "text = 'a' * 1000\nmany = [0] * 1000",
        "key = b'bytes'",
    ],
)
def test_what_is_none(source: str) -> None:
    assert found(source) == {}


def test_a_value_is_that_of_the_module_that_runs() -> None:
    source = "lr = 0.1\nsizes = [1, 2]\nname = 'a'"
    assert found(source, lr=0.5, sizes=[object()], name=3) == {"lr": 0.5, "name": 3}


def test_a_source_that_is_no_python() -> None:
    with pytest.raises(SyntaxError):
        constants_of("lr = ", {})
