"""`runlore doctor` and `runlore reindex`."""

import pytest

from runlore import Store
from tests.commands import runlore


def test_reindex_counts_the_runs(filled: Store) -> None:
    assert runlore("reindex").output == "3 runs indexed\n"


def test_the_doctor_says_what_the_setting_begins_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_AUTOLOG", "1")
    told = " ".join(runlore("doctor").stdout.split())
    assert "RUNLORE_AUTOLOG 1: records only lightning by itself; the others with `runlore run`" in told
