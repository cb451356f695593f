"""Plugins that take long or never return: the end of a run waits a second, says so, and names what is missing."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from runlore import RunloreWarning, Store, hookimpl
from runlore.recording.companions import capture_afresh
from tests.process import Process

Python = Callable[..., Process]


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What plugins wait for; runs wait next to nothing."""
    monkeypatch.setattr("runlore.recording.companions.END_S", 0.05)
    capture_afresh()
    event = threading.Event()
    yield event
    event.set()
    for thread in threading.enumerate():
        if thread.name.startswith("runlore-"):
            thread.join(20)
    capture_afresh()


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)


def test_what_is_captured_late_is_added_to_the_run(store: Store, plug: Any, held: threading.Event) -> None:
    """The end of a run waited five seconds for it, without a word, and then went without."""

    class Slow:
        @hookimpl
        def runlore_capture_environment(self) -> Mapping[str, Mapping[str, Any]]:
            held.wait(60)
            return {"slow": {"a": 1}}

    plug(Slow(), "slow")
    with pytest.warns(RunloreWarning, match=r"run 'first' \(environment(, code)?\) takes long") as caught:
        for name in ("first", "second"):
            store.start_run(name).finish()
    assert len(caught) == 1
    for run in store.runs():
        assert {"what": "environment", "why": "not known when the run ended"} in run.missing
    held.set()
    wait_for(lambda: not any(run.missing for run in store.runs()))
    for run in store.runs():
        assert (run.status, run.missing, run.environment["slow"]) == ("finished", [], {"a": 1})
        assert run.environment["packages"]["pluggy"]


def test_a_capture_that_never_returns_costs_only_itself(
    store: Store, plug: Any, held: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cost the whole environment of each run."""
    monkeypatch.setattr("runlore.recording.captures.PLUGIN_S", 0.2)

    class Hanging:
        calls = 0

        @hookimpl
        def runlore_capture_environment(self) -> None:
            self.calls += 1
            held.wait(60)

        @hookimpl
        def runlore_capture_late_files(self) -> Iterator[Any]:
            held.wait(60)
            yield from ()

    hanging = plug(Hanging(), "hanging")
    with pytest.warns(RunloreWarning, match="plugin 'hanging' is left out: it did not return within"):
        for name in ("first", "second"):
            run = store.start_run(name)
            wait_for(lambda: len(run.companions.taken) == 2)  # noqa: B023
            run.finish()
            capture_afresh()
    assert hanging.calls == 1
    for found in store.runs():
        assert found.environment["packages"]["pluggy"]
        assert {item["what"] for item in found.missing} == {"environment from hanging", "code from hanging"}
        assert all("did not return within" in item["why"] for item in found.missing)


def test_the_end_of_the_process_waits_for_what_the_end_of_a_run_did_not(store: Store, python: Python) -> None:
    process = python("""
        import runlore, time
        from runlore import hookimpl
        from runlore.plugins.manager import plugins
        from runlore.recording import companions

        class Slow:
            @hookimpl
            def runlore_capture_environment(self):
                time.sleep(0.3)
                return {"slow": {"a": 1}}

            @hookimpl
            def runlore_run_finished(self, run):
                time.sleep(0.3)
                print("told", flush=True)

        companions.END_S = 0.01
        plugins().register(Slow(), "slow")
        with runlore.start_run("short"):
            pass
        print("ended", flush=True)
    """)
    assert process.succeed() == "ended\ntold\n"
    assert process.err.count("takes long") == process.err.count("observers of runs are slow") == 1
    run = store.run("short")
    assert (run.missing, run.environment["slow"]) == ([], {"a": 1})


def test_a_flood_of_output_is_masked_once_and_a_little_of_it_again(store: Store, python: Python) -> None:
    """Masking all of it again took seconds at the end; what is printed is masked as it is printed in any case."""
    process = python(
        """
        import runlore, sys
        from runlore import hookimpl
        from runlore.plugins.manager import plugins
        from runlore.recording import companions

        class Counting:
            calls = 0

            @hookimpl
            def runlore_rewrite_file(self, file):
                self.calls += file.kind == "log"

        companions.MAX_AGAIN_BYTES = 2_000
        counting = Counting()
        plugins().register(counting, "counting")
        for name, lines in (("little", 10), ("flood", 200)):
            counting.calls = 0
            with runlore.start_run(name):
                for line in range(lines):
                    print("password=hunter2hunter2", line)
            print(name, counting.calls, file=sys.__stderr__)
        """,
        RUNLORE_OUTPUT="1",
    )
    process.succeed()
    assert process.err == "little 11\nflood 200\n"
    for run in store.runs():
        (output,) = [item for item in run.artifacts if item.name == "output.log"]
        assert b"hunter2" not in output.read_bytes()
