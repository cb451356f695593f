"""What is printed goes to the runs that are open, and to the stream as ever."""

import sys
from collections.abc import Callable

import pytest

from runlore import Store
from tests.process import Process

Python = Callable[..., Process]


def test_two_runs_that_overlap_both_keep_what_is_printed(store: Store, python: Python) -> None:
    """The run that ended first once took the wrapper of the other off the stream."""
    python(
        """
        import sys, runlore
        a = runlore.start_run("a"); print("A1")
        b = runlore.start_run("b"); print("B1")
        b.finish(); print("A2"); a.finish()
        c = runlore.start_run("c"); d = runlore.start_run("d")
        c.finish(); print("D1"); d.finish()
        assert "write" not in vars(sys.stdout)
        """,
        RUNLORE_OUTPUT="1",
    ).succeed()
    kept = {run.name: run.artifact("output.log").read_bytes().decode() for run in store.runs()}
    assert kept == {"a": "A1\nB1\nA2\n", "b": "B1\n", "c": "", "d": "D1\n"}


def test_streams_of_any_kind_print_as_ever(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that has no hash, or takes more arguments, once broke `print`."""
    written: list[str] = []

    class Stream:
        __hash__ = None  # type: ignore[assignment]

        def write(self, text: str, flush: bool = False) -> int:
            written.append(text)
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    monkeypatch.setattr(sys, "stdout", Stream())
    with store.start_run("x"):
        sys.stdout.write("a", flush=True)  # type: ignore[call-arg]
        print("b")
    assert "".join(written) == "ab\n"
    assert store.run("x").artifact("output.log").read_bytes() == b"ab\n"
