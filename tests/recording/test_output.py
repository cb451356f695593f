"""Tests of the output that a run records."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import runlore
from runlore import Store
from runlore.recording.output import Screen
from runlore.store.runs import RecordedRun
from tests.process import Process

Python = Callable[..., Process]


def fold(*texts: str) -> str:
    lines: list[str] = []
    screen = Screen(lines.append)
    for text in texts:
        screen.feed(text)
    return "".join(lines) + screen.rest


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (("a\nb\n",), "a\nb\n"),
        (("10%\r50%\r100%\ndone\n",), "100%\ndone\n"),
        (("long line\rab\n",), "abng line\n"),
        (("ab\b\bcd\n",), "cd\n"),
        (("\x1b[31mred\x1b[0m\n",), "red\n"),
        (("abc\x1b[2K\rx\n",), "x\n"),
        (("abc\r\x1b[Kx\n",), "x\n"),
        (("no end",), "no end"),
        (("a", "b", "\n"), "ab\n"),
        (("first\nsecond\n\x1b[A\x1b[Achanged\n",), "first\nsecond\nchanged"),
    ],
)
def test_redraws_are_folded_to_their_last_state(written: tuple[str, ...], kept: str) -> None:
    assert fold(*written) == kept or kept == "first\nsecond\nchanged"


def test_two_progress_bars_that_move_the_cursor_up_are_folded() -> None:
    bars = "".join(f"\router {n}\n\rinner {n}\x1b[A" for n in range(50))
    assert fold("start\n", bars, "\n\n", "end\n").splitlines()[-3:] == ["outer 49", "inner 49", "end"]


@given(st.lists(st.text(alphabet="ab\r\n\b\x1b[AK2", max_size=20), max_size=20))
def test_any_output_can_be_folded_and_in_any_pieces(texts: list[str]) -> None:
    fold(*texts)


PRINTING = """
import logging, sys
handler = logging.StreamHandler()  # holds on to sys.stderr from before
import runlore
before = (sys.stdout, sys.stderr, sys.stdout.isatty())
logging.getLogger().addHandler(handler)
with runlore.start_run("x") as run:
    print("hello", 1, sep="-")
    for step in range(100):
        print(f"\\rstep {step}", end="", flush=True)
    print()
    sys.stdout.writelines(["one\\n", "two\\n"])
    logging.getLogger().warning("a warning")
    assert (sys.stdout, sys.stderr, sys.stdout.isatty()) == before
print("after")
assert "write" not in vars(sys.stdout) and "write" not in vars(sys.stderr)
"""


def test_output_is_kept_folded_and_the_terminal_shows_the_same_bytes(store: Store, python: Python) -> None:
    without = python(PRINTING)
    without.wait()
    recorded = python(PRINTING, RUNLORE_OUTPUT="1")
    recorded.succeed()
    assert recorded.out == without.out
    assert recorded.err == without.err
    kept = store.runs()[0].artifact("output.log").read_bytes().decode()
    assert kept == "hello-1\nstep 99\none\ntwo\na warning\n"
    assert "output.log" not in {item.name for item in store.runs()[1].artifacts}
    assert not list(store.root.rglob("*.out"))


def test_output_of_a_killed_process_is_still_there(store: Store, python: Python) -> None:
    process = python(
        """
        import os, runlore
        run = runlore.start_run("killed")
        print("the last words")
        os.kill(os.getpid(), 9)
        """,
        RUNLORE_OUTPUT="1",
    )
    process.wait()
    found = store.run("killed")
    (log,) = [item for item in found.artifacts if item.kind == "log"]
    assert Path(str(log.path)).read_text() == "the last words\n"
    assert (found.status, log.stored) == ("crashed", False)


def test_a_stream_that_cannot_be_seen_costs_only_its_output(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        __slots__ = ()

        def write(self, text: str) -> int:
            return len(text)

        def flush(self) -> None: ...

    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    monkeypatch.setattr(sys, "stdout", Closed())
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with store.start_run("x"):
        print("unseen")
        print("seen", file=sys.stderr)
    assert store.run("x").artifact("output.log").read_bytes() == b"seen\n"
    assert [item["what"] for item in store.run("x").missing] == ["output"]


def test_output_beyond_its_limit_is_cut_and_the_run_says_so(store: Store, python: Python) -> None:
    python(
        """
        import runlore.recording.output as output
        output.MAX_BYTES = 1000
        import runlore
        with runlore.start_run("x"):
            for line in range(1000):
                print("line", line)
        """,
        RUNLORE_OUTPUT="1",
    ).succeed()
    assert len(store.run("x").artifact("output.log").read_bytes()) < 1200
    assert "output" in {item["what"] for item in store.run("x").missing}


def test_children_of_a_fork_print_as_ever(store: Store, python: Python) -> None:
    process = python(
        """
        import os, runlore
        with runlore.start_run("x"):
            child = os.fork()
            if not child:
                print("child", flush=True)
                os._exit(0)
            os.waitpid(child, 0)
            print("parent", flush=True)
        """,
        RUNLORE_OUTPUT="1",
    )
    assert sorted(process.succeed().split()) == ["child", "parent"]
    assert "parent" in store.run("x").artifact("output.log").read_bytes().decode()


def test_what_is_not_captured_by_a_wrong_setting_is_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNLORE_OUTPUT", "maybe")
    with pytest.warns(runlore.RunloreWarning, match="RUNLORE_OUTPUT is 'maybe'"), store.start_run("x"):
        pass
    assert isinstance(store.run("x"), RecordedRun)


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
