"""Secrets are masked in all the places where they stand, and honest values stay."""

import copy
import json
from typing import Any

import pytest

from runlore.hookspecs import CapturedFile
from runlore.plugins.secrets import Masker
from tests.plugins.secret_cases import HONEST_ARGUMENTS, HONEST_FILES, HONEST_TEXTS, HONEST_VALUES, SECRETS


def recorded(place: str, what: Any) -> Any:
    """Return what a run would record of it."""
    if place == "param":
        return Masker({}).event({"type": "params", "values": copy.deepcopy(what)})["values"]
    if place == "argv":
        return Masker({}).event({"type": "open", "argv": list(what)})["argv"]
    if place == "text":
        return Masker({}).event({"type": "note", "text": what})["text"]
    found = Masker({}).file(CapturedFile(place, what.encode(), "code"))
    return what if found is None else found.content.decode()


@pytest.mark.parametrize(("place", "what", "secret"), SECRETS)
def test_a_secret_is_masked(place: str, what: Any, secret: str) -> None:
    assert secret in json.dumps(what, ensure_ascii=False) or secret in what
    found = recorded(place, what)
    assert secret not in json.dumps(found, ensure_ascii=False), found


@pytest.mark.parametrize("arguments", HONEST_ARGUMENTS)
def test_an_honest_argument_stays(arguments: list[str]) -> None:
    assert recorded("argv", arguments) == arguments


@pytest.mark.parametrize("name", HONEST_VALUES)
def test_an_honest_value_stays(name: str) -> None:
    values = {name: HONEST_VALUES[name]}
    assert recorded("param", values) == values


@pytest.mark.parametrize("text", HONEST_TEXTS)
def test_an_honest_text_stays(text: str) -> None:
    assert recorded("text", text) == text


@pytest.mark.parametrize(("name", "text"), HONEST_FILES)
def test_an_honest_file_stays(name: str, text: str) -> None:
    assert recorded(name, text) == text


def test_the_tables_are_large() -> None:
    honest = len(HONEST_ARGUMENTS) + len(HONEST_VALUES) + len(HONEST_TEXTS) + len(HONEST_FILES)
    assert min(len(SECRETS), honest) > 150
