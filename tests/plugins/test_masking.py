"""Secrets are masked wherever they stand, and nothing else is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from runlore import Store, hookimpl
from runlore.recording.companions import capture_afresh
from tests.process import Process

Python = Callable[..., Process]


def test_names_of_metrics_and_of_runs_are_masked_for_everybody(store: Store, tmp_path: Path, python: Python) -> None:
    """Plugins that observe a run once got its name unmasked."""
    token = "ghp_" + "b" * 30
    python(
        f"""
        import runlore
        with runlore.start_run("run {token}") as run:
            for step in range(3):
                run.log_metrics({{"{token}": 1.0, "loss": 2.0}})
            run.log_metrics({{"loss": 3.0}})
        """,
        RUNLORE_CSV=str(tmp_path / "csv"),
    ).succeed()
    places = [path for root in (store.root, tmp_path / "csv") for path in root.rglob("*")]
    assert not [
        path for path in places if token in path.name or (path.is_file() and token.encode() in path.read_bytes())
    ]
    (run,) = store.runs()
    assert set(run.metrics) == {"[masked]", "loss"}
    assert run.metrics["loss"].count == 4


def test_a_package_of_which_the_name_sounds_secret_keeps_its_version(store: Store, runlore_plugins: Any) -> None:
    """The version of google-auth was once masked."""

    class Packages:
        @hookimpl
        def runlore_capture_environment(self) -> Any:
            return {
                "packages": {"google-auth": "2.55.2"},
                "cloud": {"auth_token": "ghp_0123456789abcdefghijklmnopqrstuv"},
            }

    runlore_plugins(Packages())
    capture_afresh()
    with store.start_run("packed"):
        pass
    environment = store.run("packed").environment
    assert environment["packages"]["google-auth"] == "2.55.2"
    assert "ghp_" not in str(environment["cloud"])
