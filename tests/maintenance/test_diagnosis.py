"""The doctor, and the list of plugins."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runlore import Store
from runlore.cli import main
from tests.commands import document, runlore
from tests.distributions import plugin


def test_doctor_says_what_is_captured_and_how_the_store_is(family: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    found = document("doctor", "--json")
    assert set(found) == {"captured here", "frameworks", "settings", "store"}
    assert found["store"]["runs"]["count"] == 5
    assert found["store"]["place"]["path"] == str(family.root)
    assert found["store"]["size"]["bytes"]["runs"] > 0
    assert found["store"]["pending hashes"]["count"] == 0
    assert found["captured here"]["output"]["state"] == "off"
    assert "git" in found["captured here"]["code"]["text"]
    assert found["frameworks"]["sklearn"]["state"] == "ok"
    monkeypatch.setenv("RUNLORE_OUTPUT", "perhaps")
    assert document("doctor", "--json")["captured here"]["output"]["state"] == "bad"
    assert "what is printed" in runlore("doctor").output or "perhaps" in runlore("doctor").output


def test_doctor_works_without_a_store(store: Store) -> None:
    found = document("doctor", "--json")
    assert found["store"]["runs"]["text"].startswith("the store is not there yet")
    assert not store.exists


def test_plugins_lists_names_versions_hooks_states_and_errors() -> None:
    found = {item["name"]: item for item in document("plugins", "--json")}
    assert {"code", "csv", "data", "environment", "progress", "secrets", "sklearn", "system"} <= set(found)
    assert found["secrets"]["hooks"] == ["runlore_rewrite_event", "runlore_rewrite_file"]
    assert (found["csv"]["state"], found["data"]["state"]) == ("off", "loaded")
    assert found["data"]["version"]
    assert "rewrite_event" in runlore("plugins").output


def test_plugins_names_what_is_broken_or_switched_off(tmp_path: Path) -> None:
    path = plugin(tmp_path, "broken", "raise ValueError('by design')")
    environment = {**os.environ, "PYTHONPATH": path, "RUNLORE_DISABLED": "data"}
    command = [sys.executable, "-m", "runlore", "plugins", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    found = {item["name"]: item for item in json.loads(done.stdout)}
    assert (found["broken"]["state"], found["broken"]["error"]) == ("failed", "ValueError: by design")
    assert found["data"]["state"] == "disabled"
    assert "plugin 'broken' can't be loaded" in done.stderr


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": "100"})


def test_doctor_crosses_settings_that_are_wrong(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_PROGRESS", "abc")
    monkeypatch.setenv("RUNLORE_DISABLED", "clutser")
    command = [sys.executable, "-m", "runlore", "doctor", "--json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert found["settings"]["RUNLORE_PROGRESS"]["state"] == "bad"
    assert "no plugin 'clutser'" in found["settings"]["RUNLORE_DISABLED"]["text"]


WRONG = {
    "RUNLORE_AUTOLOG": ("lighning", "did you mean 'lightning'?"),
    "RUNLORE_CHECKPOINTS": ("bets", "write best, none or all"),
    "RUNLORE_DRY_RUNS": ("maybe", "write 1 or 0"),
    "RUNLORE_CHECKPOINT": ("all", "did you mean RUNLORE_CHECKPOINTS?"),
}


@pytest.mark.parametrize(("name", "value"), WRONG.items())
def test_doctor_finds_wrong_settings(store: Store, monkeypatch: Any, name: str, value: tuple[str, str]) -> None:
    monkeypatch.setenv(name, value[0])
    told = json.loads(call("doctor", "--json").output)["settings"][name]
    assert told["state"] == "bad"
    assert value[1] in told["text"]
