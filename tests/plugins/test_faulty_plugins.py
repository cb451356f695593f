"""A plugin's faults cost what it was asked for, never the training or the rest of the record."""

from collections.abc import Callable
from pathlib import Path

import pytest

from runlore import Store
from tests.distributions import plugin
from tests.process import Process

Python = Callable[..., Process]


@pytest.mark.parametrize(
    ("hook", "body"),
    [
        ("runlore_rewrite_event(event)", "return True"),
        ("runlore_rewrite_event(event)", "return {'values': {}}"),
        ("runlore_rewrite_event(event)", "import sys; sys.exit(3)"),
        ("runlore_rewrite_file(file)", "return 'x'"),
        ("runlore_describe_data(data)", "return {'shape': 1}"),
        ("runlore_describe_data(data)", "import sys; sys.exit(3)"),
        ("runlore_capture_environment(request)", "return {'slurm': None}"),
        ("runlore_capture_environment(request)", "import sys; sys.exit(3)"),
        ("runlore_capture_files(request)", "yield 3\n    raise FileNotFoundError('gone')"),
        ("runlore_points_logged(run, points)", "import sys; sys.exit(3)"),
    ],
)
def test_what_a_plugin_returns_or_exits_with_costs_only_itself(
    store: Store, tmp_path: Path, python: Python, hook: str, body: str
) -> None:
    """What plugins return was once used unchecked, and an exit of theirs ended the training."""
    code = f"from runlore import hookimpl\n@hookimpl\ndef {hook}:\n    {body}\n"
    process = python(
        """
        import runlore
        with runlore.start_run("x") as run:
            run.log_metrics({"a": 1.0})
            run.log_data("d", [1, 2])
            run.run_log.keep_bytes(b"x", name="x")
        print("trained")
        """,
        PYTHONPATH=plugin(tmp_path, "zz_evil", code),  # asked first, and last in every chain
    )
    assert process.succeed() == "trained\n"
    (run,) = store.runs()
    assert (run.status, run.metrics["a"].last) == ("finished", 1.0)
    if "rewrite_event" not in hook:
        assert run.environment["packages"]["pluggy"]
        assert {"source"} <= {item.name for item in run.artifacts} or "capture_files" not in hook
        assert any("evil" in item["what"] + item["why"] for item in run.missing)


@pytest.mark.parametrize("code", ["import sys; sys.exit('usage')", "import runlore; runlore.autolog()"])
def test_a_plugin_that_exits_or_calls_us_when_it_is_loaded(
    store: Store, tmp_path: Path, python: Python, code: str
) -> None:
    python("import runlore; runlore.start_run('x').finish()", PYTHONPATH=plugin(tmp_path, "evil", code)).succeed()
    assert store.run("x").status == "finished"
