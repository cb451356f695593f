"""The page for authors of integrations tells every name with its signature, and its snippets record what they say."""

import inspect
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from runlore import FitSession, Store, guest
from runlore.guest import wrapping
from runlore.guest.additions import Additions
from runlore.guest.captured import defaults_of, marked
from runlore.guest.launch import Launch
from runlore.guest.options import RunOptions, settings_of
from runlore.guest.wrapping import ByIdentity, Calls, OnDemand, Wrappers
from runlore.testing import IntegrationContract, Training
from tests.process import Process

PAGE = Path(__file__).parent.parent.parent / "docs" / "integrations.md"
TEXT = PAGE.read_text()
PLAIN = (bool, int, float, str, type(None), tuple)
NAMED = (Additions, ByIdentity, Calls, OnDemand, Wrappers)  # classes whose names stand before those of their methods


class Etc:
    def __repr__(self) -> str:
        return "…"


def signature(function: Callable[..., Any], name: str) -> str:
    """A function's arguments without types."""
    shown = [
        item.replace(
            annotation=item.empty,
            default=item.default if isinstance(item.default, (*PLAIN, type)) else Etc(),
        )
        for item in inspect.signature(function).parameters.values()
        if item.name not in ("self", "cls")
    ]
    return name + str(inspect.Signature(shown))


def signatures() -> list[str]:
    found = [
        signature(FitSession.begin, "FitSession.begin"),
        "Additions(run, step=None, epoch=None)",
        "Captured(value)",
    ]
    found += [signature(method, name) for name, method in methods_of(FitSession) if name != "begin"]
    for cls in NAMED:
        known = {name for name, _ in methods_of(FitSession)} if cls is Additions else set()
        found += [signature(method, f"{cls.__name__}.{name}") for name, method in methods_of(cls) if name not in known]
    functions: list[Any] = [settings_of, marked, defaults_of, *vars(wrapping).values()]
    own = [item for item in functions if inspect.isfunction(item) and item.__module__.startswith("runlore.guest.")]
    found += [signature(item, item.__name__) for item in own if not item.__name__.startswith("_")]
    found += [signature(RunOptions.checked, "RunOptions.checked"), signature(RunOptions.request, "request")]
    found += [signature(Launch.prepare, "Launch.prepare")]
    guests = [(name, getattr(guest, name)) for name in guest.__all__]
    found += [signature(item, f"guest.{name}") for name, item in guests if inspect.isfunction(item) and name != "part"]
    return found


def methods_of(cls: type) -> list[tuple[str, Any]]:
    public = [name for name in dir(cls) if not name.startswith("_")]
    return [(name, getattr(cls, name)) for name in public if callable(getattr(cls, name))]


@pytest.mark.parametrize("text", signatures())
def test_every_verb_stands_there_with_its_signature(text: str) -> None:
    text = text.replace("Additions.close()", "close()")
    assert f"`{text}`" in TEXT or f"`{text}," in TEXT


def test_every_field_of_a_request_and_of_a_training_is_told() -> None:
    request, training = TEXT.partition("### The request")[2], TEXT.partition("## Testing it")[2]
    for item in fields(guest.FitRequest):
        assert f"`{item.name}`" in request, item.name
    for item in fields(Training):
        assert re.search(rf"`{item.name}(\(\))?`", training) or item.name == "told", item.name
    own = [name for cls in IntegrationContract.__mro__ for name in vars(cls) if not name.startswith(("_", "test_"))]
    for name in set(own) - {"pytest_generate_tests", "hows", "has_checkpoints", "make", "fit"}:
        assert re.search(rf"`{name}\b", training), name


def recorded(heading: str, python: Callable[..., Process]) -> None:
    """Run the snippet of a part of the page."""
    found = re.search(rf"^## {heading}\n.*?```python\n(.*?)^```", TEXT, re.M | re.S)
    assert found
    python(found[1]).succeed()


def test_a_wrapped_function_is_recorded(store: Store, python: Callable[..., Process]) -> None:
    recorded("Wrapping", python)
    (run,) = store.runs()
    assert (run.status, run.metrics["loss"].steps.tolist()) == ("finished", [1, 2, 3])


def test_generators_in_turn_are_recorded(store: Store, python: Callable[..., Process]) -> None:
    recorded("Generators", python)
    assert [run.metrics["loss"].values.tolist() for run in store.runs()[::-1]] == [[1, 4, 9], [16, 25, 36]]


def test_what_comes_after_the_fit_is_recorded(store: Store, python: Callable[..., Process]) -> None:
    recorded("After the fit", python)
    (run,) = store.runs()
    assert {name: series.steps.tolist() for name, series in run.metrics.items()} == {
        "test_loss": [30], "test_loss/test_2": [30],
    }  # fmt: skip
    assert run.metrics["test_loss"].epochs.tolist() == [2]
