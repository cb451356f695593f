"""Tests of the guards around hooks and signals."""

import importlib
import io
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from pathlib import Path

import pytest

from runlore import RunloreWarning, Store, guest
from runlore.plugins.entry_points import EntryPoint
from tests.process import Process

Python = Callable[..., Process]


def test_a_hook_that_fails_is_told_once_and_returns_none() -> None:
    @guest.harmless
    def hook(value: int) -> int:
        return 1 // value

    assert hook(1) == 1
    with pytest.warns(RunloreWarning, match="less is recorded: .*hook failed: ZeroDivisionError") as caught:
        assert hook(0) is None
        assert hook(0) is None
    assert len(caught) == 1


def test_a_signals_mark_is_set_again_after_a_framework_has_reset_it(store: Store, python: Python) -> None:
    process = python("""
        import os, signal
        import runlore
        with runlore.start_run("before"):
            pass
        signal.signal(signal.SIGTERM, lambda *_: None)  # a trainer's own handler
        signal.signal(signal.SIGTERM, signal.SIG_DFL)  # which it takes off again
        run = runlore.start_run("after")
        os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert process.wait() == -signal.SIGTERM
    assert store.run("after").status == "interrupted"


def test_a_handler_of_the_users_stays_the_users(store: Store, python: Python) -> None:
    process = python("""
        import os, signal
        import runlore
        with runlore.start_run("before"):
            pass
        signal.signal(signal.SIGTERM, lambda *_: print("mine", flush=True))
        with runlore.start_run("after"):
            os.kill(os.getpid(), signal.SIGTERM)
    """)
    assert process.succeed() == "mine\n"
    assert [run.status for run in store.runs()] == ["finished", "finished"]


def test_a_framework_is_wrapped_once_it_is_imported_and_not_for_a_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "some_framework.py").write_text("")
    call = "guest.once_imported('some_framework', lambda: calls.made.append({!r}))"
    package = f"import calls\nfrom runlore import guest\n{call}\n"
    (tmp_path / "for_users.py").write_text(package.format("user"))
    (tmp_path / "for_plugins.py").write_text(package.format("plugin"))
    (tmp_path / "calls.py").write_text("made = []\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("some_framework", "for_users", "for_plugins", "calls"):
        monkeypatch.setitem(sys.modules, name, None)  # so that nothing of them is left for other tests
        monkeypatch.delitem(sys.modules, name)
    before = list(sys.meta_path)
    EntryPoint("some", "for_plugins", "some", "1").load()
    assert sys.meta_path == before
    importlib.import_module("for_users")
    calls = importlib.import_module("calls")
    assert calls.made == []
    importlib.import_module("some_framework")
    assert (calls.made, sys.meta_path) == (["user"], before)
    guest.once_imported("some_framework", lambda: calls.made.append("at once"))
    assert calls.made == ["user", "at once"]


def test_what_only_the_record_needs_prints_nothing_and_other_threads_print_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    streams, start = [sys.stdout, sys.stderr], threading.Thread.start
    pool = ThreadPoolExecutor(1)
    pool.submit(int).result()

    def loud(text: str) -> None:
        print(text)
        warnings.warn(text, stacklevel=2)

    with warnings.catch_warnings(record=True) as caught, pool:
        warnings.simplefilter("always")
        with guest.without_trace(prints=True):
            loud("held back")
            with guest.without_trace(prints=True):
                print("held back", file=sys.stderr)
            pool.submit(loud, "of another thread").result()
            with ThreadPoolExecutor(1) as own:
                own.submit(loud, "held back").result()
            sys.stdout.writelines(["held back"])
        print("shown")
    assert capsys.readouterr() == ("of another thread\nshown\n", "")
    assert [str(item.message) for item in caught] == ["of another thread"]
    assert ([sys.stdout, sys.stderr], threading.Thread.start) == (streams, start)
    assert not any("write" in vars(stream) for stream in streams)


def test_threading_is_as_ever_while_output_is_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    """`Thread.start` was another function for all threads meanwhile."""
    before, kind = dict(vars(threading.Thread)), type(threading.current_thread())
    own = threading.current_thread()
    with guest.without_trace(prints=True):
        assert dict(vars(threading.Thread)) == before
        assert threading.current_thread() is own
        assert (repr(own), own.daemon) == (f"<{kind.__name__}({own.name}, started {own.ident})>", False)
        with ThreadPool(2) as pool:
            pool.map(lambda _: ThreadPool(1).map(print, ["held back"]), range(2))
        thread = threading.Thread(target=print, args=("held back",))
        thread.start()
        thread.join()
    assert (type(own), capsys.readouterr().out) == (kind, "")


def test_streams_are_put_back_however_blocks_and_replacements_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with guest.without_trace(prints=True):
            print("held back")
            inside.set()
            leave.wait(20)
            print("held back")

    other = threading.Thread(target=work)
    with guest.without_trace(prints=True):
        monkeypatch.setattr(sys, "stdout", second)
        other.start()
        assert inside.wait(20)
        print("held back")
    print("second")
    first.write("first")
    leave.set()
    other.join()
    assert (first.getvalue(), second.getvalue()) == ("first", "second\n")
    assert not [stream for stream in (first, second) if "write" in vars(stream)]


def test_a_recording_that_begins_or_ends_meanwhile_leaves_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RUNLORE_OUTPUT", "1")
    stream = sys.stdout
    with guest.without_trace(prints=True):
        run = store.start_run("later")
        print("held back")
    print("shown")
    run.finish()
    assert "write" not in vars(stream)
    run = store.start_run("earlier")
    with guest.without_trace(prints=True):
        run.finish()
        print("held back")
    print("shown")
    assert "write" not in vars(stream)
    assert capsys.readouterr().out == "shown\nshown\n"


@pytest.mark.stress
def test_threads_that_hold_start_and_print_at_once_don_t_meet(capsys: pytest.CaptureFixture[str]) -> None:
    def hold() -> None:
        for _ in range(40):
            with guest.without_trace(prints=True):
                print("held back")
                with ThreadPoolExecutor(2) as pool:
                    list(pool.map(print, ["held back"] * 2))

    def tell() -> None:
        for _ in range(40):
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(print, ["shown"] * 2))

    threads = [threading.Thread(target=work) for work in (hold, tell) * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = capsys.readouterr().out
    assert (shown.count("shown"), shown.count("held")) == (240, 0)
    assert "write" not in vars(sys.stdout)
