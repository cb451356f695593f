"""Tests of which process of a training records."""

from collections.abc import Callable

import pytest

from runlore import FitSession, Store, guest
from tests.process import Process

Python = Callable[..., Process]

FOLLOWERS = [
    {"RANK": "1", "WORLD_SIZE": "2"},
    {"LOCAL_RANK": "1", "WORLD_SIZE": "2"},
    {"LOCAL_RANK": "0", "NODE_RANK": "1", "WORLD_SIZE": "4"},
    {"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4"},
]
LEADERS = [
    {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"},
    {"RANK": "1"},
    {"RANK": "first", "WORLD_SIZE": "2"},
    {"WORLD_SIZE": "2"},
    {"OMPI_COMM_WORLD_RANK": "0", "OMPI_COMM_WORLD_SIZE": "4"},
]


@pytest.mark.parametrize("variables", FOLLOWERS, ids=str)
def test_a_process_that_follows_records_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not FitSession.begin("own")
    with store.start_run("mine") as run:
        run.log_metrics({"loss": 1.0})
    assert len(store.runs()) == 0
    with FitSession.begin("own", guest.FitRequest(leader=True)) as session:
        assert session
    assert len(store.runs()) == 1


@pytest.mark.parametrize("variables", LEADERS, ids=str)
def test_a_process_that_leads_records(store: Store, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with FitSession.begin("own") as session:
        assert session
    assert len(store.runs()) == 1
