"""The doctor names settings that mean nothing."""

import json
import subprocess
import sys
from typing import Any

import pytest
from click.testing import CliRunner, Result

from runlore import Store
from runlore.cli import main


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
