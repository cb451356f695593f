"""What plugins get is theirs to read: nobody's change reaches another plugin."""

import pickle
import threading
from dataclasses import FrozenInstanceError, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import pytest

from runlore._frozen import MAX_FEW, Frozen, changed, fresh, late
from runlore.hookspecs import CapturedFile, CaptureRequest

NAMES: dict[str, Any] = {"names": fresh(factory=list)}


def test_no_field_can_be_changed() -> None:
    file = CapturedFile("train.py", b"", "code")
    for name in ("name", "new"):
        with pytest.raises(FrozenInstanceError):
            setattr(file, name, "x")
    with pytest.raises(FrozenInstanceError):
        del file.name
    assert file == CapturedFile("train.py", b"", "code")


def test_a_frozen_object_is_a_value() -> None:
    file = CapturedFile("train.py", b"x", "code")
    assert replace(file, withheld="no") != file
    assert replace(file, withheld="no").name == "train.py"
    assert pickle.loads(pickle.dumps(file)) == file
    assert len({file, CapturedFile("train.py", b"x", "code")}) == 1
    assert asdict(CaptureRequest(Path("a"), ("b",), 1.0))["timeout"] == 1.0
    assert repr(file) == (
        "CapturedFile(name='train.py', content=b'x', kind='code', folder=None, masked=(), withheld=None)"
    )


@late
class Point(Frozen):
    """A class as modules of the first start declare them."""

    x: int
    y: int = 2
    names: list[str] = fresh(factory=list)


@pytest.mark.parametrize("made", [0, MAX_FEW], ids=["by hand", "by Python"])
def test_a_late_dataclass_is_one_from_its_first_object_on(made: int) -> None:
    kind = late(type("Point", (Frozen,), {"__annotations__": {"x": int, "y": int, "names": list}, "y": 2, **NAMES}))
    for _ in range(made):
        kind(0)
    point: Any = kind(1, y=3)
    assert (point.x, point.y, point.names) == (1, 3, [])
    assert kind(1).names is not kind(1).names
    for values, named, why in (
        ((), {}, "missing 1 required positional argument: 'x'"),
        ((1,), {"x": 2}, "multiple values for argument 'x'"),
        ((1,), {"z": 2}, "unexpected keyword argument 'z'"),
        ((1, 2, [], 4), {}, "takes from 2 to 4 positional arguments but 5 were given"),
    ):
        with pytest.raises(TypeError, match=why):
            kind(*values, **named)
    with pytest.raises(FrozenInstanceError):
        point.x = 2


def test_whoever_asks_for_the_fields_of_a_late_dataclass_gets_them() -> None:
    assert [field.name for field in fields(Point)] == ["x", "y", "names"]
    assert asdict(Point(1)) == {"x": 1, "y": 2, "names": []}
    assert changed(Point(1), y=4) == Point(1, 4)

    @dataclass
    class Deeper(Point):
        z: int = 5

    assert Deeper(1).z == 5


def test_threads_may_make_the_first_objects_at_once() -> None:
    for _ in range(50):
        kind: Any = late(type("Pair", (), {"__annotations__": {"a": int, "b": list}, "b": NAMES["names"]}))
        wrong: list[BaseException] = []

        def make(kind: Any = kind, wrong: list[BaseException] = wrong) -> None:
            try:
                for number in range(MAX_FEW):
                    assert (kind(number).a, kind(number).b) == (number, [])
                assert len(fields(kind)) == 2
            except BaseException as error:
                wrong.append(error)

        threads = [threading.Thread(target=make) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
