"""`runlore doctor` and `runlore reindex`."""

import json
import shlex
from pathlib import Path

import pytest

from runlore import Store
from tests.commands import runlore


def test_reindex_counts_the_runs(filled: Store) -> None:
    assert runlore("reindex").output == "3 runs indexed\n"


def autolog() -> dict[str, object]:
    found: dict[str, dict[str, object]] = json.loads(runlore("doctor", "--json").stdout)["frameworks"]
    return found["autolog"]


def test_the_doctor_says_what_is_recorded_by_itself_and_by_which_setting(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert autolog()["state"] == "off"
    (tmp_path / "pyproject.toml").write_text('[tool.runlore]\nautolog = "sklearn"\n')
    assert (autolog()["on"], autolog()["set_in"]) == (["sklearn"], str(tmp_path / "pyproject.toml"))
    monkeypatch.setenv("RUNLORE_AUTOLOG", "1")
    told = autolog()
    assert (told["set_in"], told["everywhere"]) == ("the environment", False)
    assert str(told["text"]).startswith("on by RUNLORE_AUTOLOG in the environment, in programs under `runlore run`")
    monkeypatch.setenv("RUNLORE_AUTOLOG", "0")
    assert autolog()["text"] == "off by RUNLORE_AUTOLOG in the environment"
    monkeypatch.setenv("RUNLORE_AUTOLOG", "sklern")
    assert autolog()["state"] == "bad"


def test_the_doctor_knows_a_shell_in_which_every_python_records(monkeypatch: pytest.MonkeyPatch) -> None:
    for line in runlore("env").stdout.splitlines():
        name, value = shlex.split(line)[1].split("=", 1)
        monkeypatch.setenv(name, value)
    told = autolog()
    assert (told["everywhere"], told["set_in"]) == (True, None)
    assert "on by `runlore env` in this shell, in every Python that it starts" in str(told["text"])
