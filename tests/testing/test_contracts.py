"""The contract of integrations fails where it should, and says why."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

GOOD = """
import json
from runlore import FitSession, guest
from runlore.testing import IntegrationContract, Training

class TestMini(IntegrationContract):
    integration = "mini"
    metric = "loss"
    param = ("lr", 0.1)
    steps = 3
    hows = ("callback",)

    def train(self, training):
        weight, first = 1.0, 0
        if training.resume_from is not None:
            weight, first = json.loads(training.resume_from.read_text())
        leader = None if training.how == "callback" else False
        request = guest.FitRequest(resume_from=training.resume_from, leader=leader)
        steps = 6 if training.longer else 3
        with FitSession.begin("mini", request, params=lambda: {"lr": 0.1}) as session:
            for step in range(first, steps):
                weight *= 0.9
                session.metrics({"loss": weight}, step=step + 1)
                path = training.folder / "last.json"
                path.write_text(json.dumps([weight, step + 1]))
                session.checkpoint(path, step=step + 1)
                if step == 1:
                    training.midway()
        return weight

    def checkpoint(self, folder):
        return folder / "last.json"
"""
BROKEN = {
    'metric = "loss"': ("", "TestMini lacks: metric"),
    "        return weight\n": ("", "TestMini.train returned None"),
    "training.midway()": ("pass", "did not call training.midway()"),
    'hows = ("callback",)': ('hows = ("calback",)', "TestMini.hows has 'calback'"),
    "def checkpoint(": ("def other(", "the method checkpoint(folder), or has_checkpoints = False"),
    "def train(": ("def other(", "the method train(training)"),
    'session.metrics({"loss": weight}, step=step + 1)': (
        'session.metrics({"loss": weight}, step=1)', "test_every_step_has_its_point_once"
    ),
    "weight *= 0.9": ("weight *= 0.9 if training.how == 'plain' else 0.8", "test_a_recorded_training_is_the_same"),
    'params=lambda: {"lr": 0.1}': ("params=lambda: {}", "test_params_are_written_before_the_middle"),
    'leader = None if training.how == "callback" else False': ("leader = True", "test_a_recorded_training_is_the_same"),
}  # fmt: skip


@pytest.fixture
def mini(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makeconftest('pytest_plugins = ["runlore.testing"]')
    monkeypatch.setenv("PYTHONPATH", "")
    return pytester


def test_an_integration_of_one_s_own_passes(mini: pytest.Pytester) -> None:
    mini.makepyfile(test_mini=GOOD)
    result = mini.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    assert result.parseoutcomes().get("failed") is None, result.outlines[-30:]
    assert result.parseoutcomes()["passed"] >= 20


@pytest.mark.parametrize(("right", "wrong"), BROKEN.items())
def test_a_broken_one_fails_and_is_told_why(mini: pytest.Pytester, right: str, wrong: tuple[str, str]) -> None:
    assert right in GOOD
    mini.makepyfile(test_mini=GOOD.replace(right, wrong[0]))
    result = mini.runpytest_subprocess("-q", "-x", "-p", "no:cacheprovider", "-k", "not killed and not told_to_stop")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert wrong[1] in "\n".join(result.outlines), result.outlines[-40:]
    assert Path(mini.path).is_dir()
