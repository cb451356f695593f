"""Regular expressions end: those that need years for a text are ended, and those that people write are answered."""

import re
import subprocess
import threading
import time

import pytest

from runlore import Store
from runlore.errors import QueryError
from runlore.index.matching import MAX_STEPS, Matcher, most_steps, why_no_pattern

EVIL = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){12}$", r"(a*)*\1b", "(?:a?){20}a{20}b"]
HONEST = [
    "v[0-9]+$", "^run-", "lr=0\\.1", "(train|val)_", "[Bb]ase", "seed-\\d{1,3}$", "a.*b", "^(?!old)", "(?i)RESNET",
    "\\bcnn\\b", "(ab)+c", "^(resnet|vit)(18|50)?$", "(?P<x>a)(?P=x)", "é+", "",
]  # fmt: skip
TEXTS = [
    "v12",
    "run-7 lr=0.1",
    "train_base-seed-12",
    "aXb",
    "old",
    "my ResNet50",
    "a cnn",
    "ababc",
    "vit",
    "aa",
    "éé",
    "",
    "a\nb",
]


@pytest.fixture
def hostile(store: Store) -> Store:
    for number in range(3):
        with store.start_run(f"n{number}", params={"t": "a" * 40 + "!", "n": number}):
            pass
    return store


@pytest.mark.parametrize("pattern", EVIL[:2])
def test_an_evil_pattern_is_ended_within_seconds_and_said_so(hostile: Store, pattern: str) -> None:
    hostile.runs()
    place = hostile.index.path
    began = time.monotonic()
    turns = 0
    done = threading.Event()

    def look() -> None:
        nonlocal turns
        while not done.wait(0.05):
            turns += 1

    other = threading.Thread(target=look)
    other.start()
    with pytest.raises(QueryError, match="takes too long for a text of 41 characters"):
        hostile.runs(f"match(params.t, {pattern!r})")
    took = time.monotonic() - began
    done.set()
    other.join()
    assert took < 60  # 1 s of the processor, and the start of a process
    assert turns >= 5  # other threads went on meanwhile
    assert hostile.index.path == place is not None
    assert len(hostile.runs("match(params.t, '!$')")) == 3


@pytest.mark.parametrize("pattern", EVIL)
def test_what_may_take_long_is_matched_in_another_process(pattern: str) -> None:
    assert most_steps(pattern, 40) > MAX_STEPS


@pytest.mark.parametrize("pattern", HONEST)
def test_every_pattern_matches_as_python_does(pattern: str) -> None:
    """Here, and in the other process."""
    assert why_no_pattern(pattern) is None
    texts = [*TEXTS, *(text * 1000 for text in TEXTS)]
    matcher = Matcher()
    first = [matcher.match(pattern, text) for text in texts]
    settled = matcher.settle()
    found = [matcher.match(pattern, text) for text in texts] if settled else first
    assert found == [re.search(pattern, text) is not None for text in texts]
    assert matcher.settle() is False


def test_a_text_for_the_other_process_is_found_beside_other_conditions(hostile: Store) -> None:
    text = "x" * 5000 + "needle"
    with hostile.start_run("long", params={"t": text, "n": 3}):
        pass
    where = "(match(params.t, 'x+.*needle') or params.n == 1) and not match(params.t, 'y+.*needle.*')"
    assert [run.name for run in hostile.runs(where, sort="params.n", limit=5)] == ["n1", "long"]


def test_names_are_matched_without_another_process(hostile: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_process(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", no_process)
    for pattern in HONEST[:9]:
        hostile.runs(f"match(name, {pattern!r})")


def test_many_texts_that_are_slow_together_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runlore.index.matching.ALL_S", 0.0)
    matcher = Matcher()
    with pytest.raises(QueryError, match="all texts together"):
        matcher.match("b", "abc")
    assert matcher.failure is not None
    matcher.begin()
    assert matcher.failure is None
