"""Warnings name the user's line, are recorded, and never break the program."""

from collections.abc import Callable

import pytest

from runlore import RunloreWarning, Store
from tests.process import Process

Python = Callable[..., Process]


def test_a_warning_points_to_the_code_that_called_us(store: Store) -> None:
    """It once named a line of ours."""
    with store.start_run() as run, pytest.warns(RunloreWarning) as caught:
        run.log_metrics({"loss": "none"})
    assert [item.filename for item in caught] == [__file__]


def test_values_left_out_are_told_in_the_run(store: Store) -> None:
    """Once, and not for each step."""
    with pytest.warns(RunloreWarning, match="metric 'bad' is 'text', not a number"), store.start_run("x") as run:
        run.log_metrics({"ok": 1.0, "bad": "text"})
        run.log_metrics({"ok": 1.0, "bad": "text"})
    assert [item["what"] for item in store.run("x").missing] == ["metric 'bad'"]


def test_a_closed_stderr_is_no_trap(python: Python) -> None:
    """Writing a warning there once raised in the user's program."""
    python("""
        import sys, warnings, runlore
        warnings.simplefilter("error")
        with runlore.start_run() as run:
            sys.stderr.close()
            run.log_metrics({"a": "x"})
    """).succeed()


def test_no_file_is_read_without_its_encoding(store: Store, python: Python) -> None:
    script = """
    import sys, runlore
    with runlore.start_run("job", params={"a": 1}, store=sys.argv[1]) as run:
        run.log_metrics({"loss": 1.0})
    with runlore.open_store(sys.argv[1]).start_run(run.name, resume="allow") as again:
        again.log_params({"b": 1})
    print(len(runlore.open_store(sys.argv[1]).runs()))
    """
    process = python(script, str(store.root), PYTHONWARNDEFAULTENCODING="1", PYTHONWARNINGS="always::EncodingWarning")
    assert process.succeed().split() == ["2"]
    assert process.err.count("EncodingWarning") == 0
